"""Numbers as exact fractions and as keys; number words."""

# ruff: noqa: SIM905 (word lists are easier to read as one string)
from __future__ import annotations

import re
from fractions import Fraction

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.policy import KEY_DIGITS, MAX_DIGITS, MAX_EXPONENT

_LARGE = 10**MAX_DIGITS
_SNAP = Fraction(1, 10**12)

SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4,
    "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6, "seventh": 7, "sevenths": 7, "eighth": 8, "eighths": 8,
    "ninth": 9, "ninths": 9, "tenth": 10, "tenths": 10,
}  # fmt: skip
_SMALL = {word: value for value, word in enumerate(_UNITS)} | {word: 20 + 10 * i for i, word in enumerate(_TENS)}


def decimal_fraction(digits: str) -> Fraction:
    """The exact value of `12.5`, `.5`, `1e-7`; raises Unreadable where it is too long to be worth it."""
    if len(digits) > MAX_DIGITS:
        raise Unreadable("too many digits")
    mantissa, _, exponent = digits.lower().partition("e")
    if exponent and (len(exponent) > 5 or abs(int(exponent)) > MAX_EXPONENT):
        raise Unreadable("exponent too large")
    whole, _, decimals = mantissa.partition(".")
    power = (int(exponent) if exponent else 0) - len(decimals)
    value = int((whole + decimals) or "0")
    return Fraction(value * 10**power) if power >= 0 else Fraction(value, 10**-power)


def printed_number(digits: str) -> tuple[Fraction, int, int]:
    """Exact value, decimals, and significant digits shown, as in (123/1000, 4, 4) for `.1230`;
    (value, -1, 0) for an integer."""
    value = decimal_fraction(digits)
    if digits.isdigit():
        return value, -1, 0
    whole, _, decimals = digits.lower().partition("e")[0].partition(".")
    return value, len(decimals), len((whole + decimals).lstrip("0")) or 1


def fraction_key(value: Fraction) -> str:
    """The key of an exact value: `p` or `p/q`, in scientific form where that would be over 1,000 digits."""
    if abs(value.numerator) < _LARGE and value.denominator < _LARGE:
        return str(value)
    return scientific_key(value)


def number_text(value: Fraction) -> str:
    """`26`, `0.5`, `5/3`: a decimal where there is a finite one."""
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest > 1 or places > 30:
        return str(value)
    if not places:
        return str(value.numerator)
    digits = f"{abs(value.numerator) * 10**places // value.denominator:0{places + 1}d}"
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def answer_text(value: Fraction) -> str:
    """A decimal where there is a finite one, else the float that a program would print: both have one key."""
    text = number_text(value)
    try:
        return repr(float(value)) if "/" in text else text
    except OverflowError:
        return text


def scientific_key(value: Fraction) -> str:
    """A value outside every printable range, as 12 digits and a power of ten."""
    sign, value = ("-" if value < 0 else ""), abs(value)
    # log10 from the bit lengths, then at most two corrections
    exponent = int((value.numerator.bit_length() - value.denominator.bit_length()) * 0.30102999566)
    scaled = value / Fraction(10) ** (exponent - KEY_DIGITS + 1)
    while scaled >= 10**KEY_DIGITS:
        scaled, exponent = scaled / 10, exponent + 1
    while scaled < 10 ** (KEY_DIGITS - 1):
        scaled, exponent = scaled * 10, exponent - 1
    return f"{sign}{round(scaled)}e{exponent}"


def image_fraction(value: Fraction) -> Fraction:
    """The number that a float stands for: a simple fraction very near to it, or 12 significant digits of it."""
    if not value:
        return value
    simple = value.limit_denominator(1000)
    if abs(value - simple) <= _SNAP * abs(value):
        return simple
    places = KEY_DIGITS - 1 - _magnitude(abs(value))
    scale = 10 ** abs(places)
    scaled = value * scale if places >= 0 else value / scale
    return Fraction(round(scaled), scale) if places >= 0 else Fraction(round(scaled) * scale)


def _magnitude(value: Fraction) -> int:
    """The exponent of the leading decimal digit of a positive value."""
    guess = len(str(value.numerator)) - len(str(value.denominator))
    if guess >= 0:
        return guess if value.numerator >= value.denominator * 10**guess else guess - 1
    return guess if value.numerator * 10**-guess >= value.denominator else guess - 1


def words_fraction(text: str) -> Fraction | None:
    """The value of `twenty-five`, `three hundred and six`, `two thirds`, `one and a half`; None for other words."""
    words = [word for word in re.split(r"[\s-]+", text.lower()) if word]
    if not words or len(words) > 12:
        return None
    if words[-1] in _PARTS:
        return _fraction_words(words)
    value = _integer_words([word for word in words if word != "and"])
    return None if value is None else Fraction(value)


def _fraction_words(words: list[str]) -> Fraction | None:
    part = Fraction(1, _PARTS[words[-1]])
    rest = words[:-1]
    if "and" in rest:  # one and a half, two and three quarters
        cut = rest.index("and")
        whole, rest = _integer_words(rest[:cut]), rest[cut + 1 :]
        if whole is None:
            return None
    else:
        whole = 0
    if not rest:
        return whole + part if words[-1] in ("half", "third", "quarter") else None
    count = 1 if rest in (["a"], ["an"]) else _integer_words(rest)
    return None if count is None else whole + count * part


def _integer_words(words: list[str]) -> int | None:
    total, group, seen = 0, 0, False
    for word in words:
        if word in _SMALL:
            group += _SMALL[word]
        elif word == "hundred" and seen:
            group *= 100
        elif word in SCALES and seen:
            total, group = total + group * 10 ** SCALES[word], 0
        elif word == "a" and not seen and len(words) > 1:
            group = 1
        else:
            return None
        seen = True
    return total + group if seen else None
