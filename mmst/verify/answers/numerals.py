"""Numbers as exact fractions and as keys; number words."""

# ruff: noqa: SIM905 (word lists are easier to read as one string)
from __future__ import annotations

import re
from fractions import Fraction

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.policy import KEY_DIGITS, MAX_DIGITS, MAX_EXPONENT

_LARGE = 10**MAX_DIGITS
_SNAP = Fraction(1, 10**12)
_PLACES = 30  # decimals of the longest decimal that is written out

SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = {word: value for value, word in enumerate(_ONES)} | {word: 20 + 10 * i for i, word in enumerate(_TENS)}
_PARTS = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4}
for _size, _part in enumerate("third fourth fifth sixth seventh eighth ninth tenth".split(), 3):
    _PARTS |= {_part: _size, f"{_part}s": _size}


def decimal_fraction(digits: str) -> Fraction:
    """The exact value of `12.5`, `.5`, `1e-7`; raises Unreadable for over 1,000 digits or exponents over 1,000."""
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
    """Exact value, decimals, and significant digits shown, as in (123/1000, 4, 4) for `.1230`.

    An integer is exact and gives (value, -1, 0). Raises Unreadable as decimal_fraction does.
    """
    value = decimal_fraction(digits)
    if digits.isdigit():
        return value, -1, 0
    whole, _, decimals = digits.lower().partition("e")[0].partition(".")
    return value, len(decimals), len((whole + decimals).lstrip("0")) or 1


def fraction_key(value: Fraction) -> str:
    """The key of an exact value: `p` or `p/q`, or 12 digits and a power of ten beyond 1,000 digits."""
    if abs(value.numerator) < _LARGE and value.denominator < _LARGE:
        return str(value)
    digits, exponent = _rounded(value)
    return f"{digits}e{exponent + KEY_DIGITS - 1}"


def number_text(value: Fraction) -> str:
    """`26`, `0.5`, `5/3`: a decimal if a finite one with up to 30 places exists, else a fraction."""
    if value.denominator == 1 or 10**_PLACES % value.denominator:
        return str(value)
    digits = f"{abs(value.numerator) * 10**_PLACES // value.denominator:0{_PLACES + 1}d}"
    return f"{'-' if value < 0 else ''}{digits[:-_PLACES]}.{digits[-_PLACES:].rstrip('0')}"


def answer_text(value: Fraction) -> str:
    """A finite decimal, or else the float that a program would print: both have the same key."""
    text = number_text(value)
    try:
        return repr(float(value)) if "/" in text else text
    except OverflowError:
        return text


def image_fraction(value: Fraction) -> Fraction:
    """The number that a float stands for: a simple fraction within a relative 1e-12, or else 12 significant digits."""
    if not value:
        return value
    simple = value.limit_denominator(1000)
    if abs(value - simple) <= _SNAP * abs(value):
        return simple
    digits, exponent = _rounded(value)
    return Fraction(digits * 10**exponent) if exponent >= 0 else Fraction(digits, 10**-exponent)


def _rounded(value: Fraction) -> tuple[int, int]:
    """(digits, exponent) of a value other than 0, rounded to the 12 significant digits of a key."""
    leading = len(str(abs(value.numerator))) - len(str(value.denominator))
    if abs(value) < Fraction(10) ** leading:
        leading -= 1
    exponent = leading - KEY_DIGITS + 1
    return round(value / 10**exponent if exponent >= 0 else value * 10**-exponent), exponent


def words_fraction(text: str) -> Fraction | None:
    """The value of `twenty-five`, `three hundred and six`, `two thirds`, `one and a half`; None for other words."""
    words = [word for word in re.split(r"[\s-]+", text.lower()) if word]
    if not words or len(words) > 12:
        return None
    if words[-1] not in _PARTS:
        number = _whole([word for word in words if word != "and"])
        return None if number is None else Fraction(number)
    whole: int | None = 0
    *rest, last = words
    if "and" in rest:  # one and a half, two and three quarters
        cut = rest.index("and")
        whole, rest = _whole(rest[:cut]), rest[cut + 1 :]
    if rest:
        count = 1 if rest in (["a"], ["an"]) else _whole(rest)
    else:
        count = 1 if last in ("half", "third", "quarter") else None
    return None if whole is None or count is None else whole + Fraction(count, _PARTS[last])


def _whole(words: list[str]) -> int | None:
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
