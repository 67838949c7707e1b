"""Comparing two answers by their canonical forms, without any process or evaluation of text."""

from __future__ import annotations

from fractions import Fraction

from mmst.verify.answers.answer import Answer, Comparison
from mmst.verify.answers.policy import (
    NOISE,
    NOISE_DIGITS,
    ROUNDED,
    ROUNDED_DIGITS,
    ROUNDED_FLOAT_DIGITS,
    ROUNDED_FLOAT_PLACES,
    ROUNDED_PLACES,
)

_NUMERIC = ("number", "percent")
_WORDS = {"text", "choice", "boolean"}
_COLLECTIONS = ("tuple", "list", "set", "interval", "matrix")
_MAX_PARTS = 200
_ZERO_NOISE = Fraction(1, 10**3)  # beside an exact zero, noise is what is left of numbers of a usual size
_OTHERS = {"eq": "same equation", "unit": "same quantity in other units"}


def compare_keys(gold: Answer, prediction: Answer) -> Comparison | None:
    """Compare by keys alone, as votes are counted: equal, or None where the keys do not decide.

    >>> compare_keys(read_answer("0.5"), read_answer("1/2"))
    Comparison(equal=True, reason='same number')
    """
    if gold.key != prediction.key:
        return None
    if gold.kind == prediction.kind:
        return Comparison(True, f"same {gold.kind}")
    return Comparison(True, "same value") if (gold.kind in _WORDS) == (prediction.kind in _WORDS) else None


def compare_answers(gold: Answer, prediction: Answer) -> Comparison | None:
    """Compare two answers by the rules of policy.py; None where only Math-Verify can decide (see Comparer).

    The verdict does not depend on the order of the arguments. Never raises.

    >>> compare_answers(read_answer("8/3"), read_answer("2.6667"))
    Comparison(equal=True, reason='rounded')
    """
    same = compare_keys(gold, prediction)
    if same is not None:
        return same
    kinds = {gold.kind, prediction.kind}
    if kinds in ({"relation", "interval"}, {"relation", "tuple"}):
        return None
    if "opaque" in kinds:
        return Comparison(False, "words against mathematics") if kinds & _WORDS else None
    reason = _lenient(gold, prediction)
    return Comparison(True, reason) if reason else Comparison(False, f"{_shown(gold)} is not {_shown(prediction)}")


def _shown(answer: Answer) -> str:
    text = answer.key if answer.kind in _NUMERIC and len(answer.key) <= 20 else answer.text
    return text if len(text) <= 60 else f"{text[:57]}..."


def _lenient(a: Answer, b: Answer) -> str:
    """The rule by which two answers with different keys are equal, or an empty string."""
    if a.kind in _NUMERIC and b.kind in _NUMERIC:
        return _numbers(a, b) or _other_reading(a, b)
    if a.kind in _COLLECTIONS and b.kind in _COLLECTIONS:
        return _collections(a, b)
    if a.kind == b.kind == "time" and bool(a.form) != bool(b.form):
        return "same time" if _clock(a) == _clock(b) else ""
    for one, two in ((a, b), (b, a)):
        clock = one.kind == "time" and two.kind == "ratio" and not one.form
        if clock or (one.kind == "ratio" and two.kind in _NUMERIC):
            ratio = _ratio(one)
            if ratio is not None and ratio == _ratio(two):
                return "same ratio"
        if one.kind == "choice" and two.kind == "symbolic" and two.text.strip("()") == one.key.lower():
            return "same choice"
    return _other_reading(a, b)


def _other_reading(a: Answer, b: Answer) -> str:
    """`1,22` as a decimal, `y = 2x` as an equation, 2 hours as 120 minutes."""
    for one, two in ((a, b), (b, a)):
        if one.other and one.other in (two.other, two.key):
            return _OTHERS.get(one.other.partition(":")[0], "another reading")
    return ""


def _ratio(answer: Answer) -> Fraction | None:
    try:
        return Fraction(answer.key.replace(":", "/"))
    except (ValueError, ZeroDivisionError):
        return None


def _clock(time: Answer) -> tuple[int, str]:
    hour, _, minute = time.key.partition(":")
    return int(hour) % 12, minute


def _numbers(a: Answer, b: Answer) -> str:
    left, right = a.number, b.number
    if left is None or right is None:
        return ""
    reason = _close(left, a, right, b)
    if not reason and a.kind != b.kind:
        left, right = (left / 100, right) if a.kind == "percent" else (left, right / 100)
        reason = "percent" if left == right or _close(left, a, right, b) else ""
    return reason


def _close(left: Fraction, a: Answer, right: Fraction, b: Answer) -> str:
    difference = abs(left - right)
    size = max(abs(left), abs(right)) if left and right else _ZERO_NOISE
    if max(a.digits, b.digits) >= NOISE_DIGITS and difference <= NOISE * size:
        return "equal up to float noise"
    return "rounded" if _rounds_to(left, a, right, b) or _rounds_to(right, b, left, a) else ""


def _rounds_to(short: Fraction, printed: Answer, value: Fraction, source: Answer) -> bool:
    """Whether a printed decimal is the correct rounding of a longer value to its places."""
    places = printed.places
    if not printed.digits or (source.digits and source.places <= places):
        return False
    near = places >= ROUNDED_PLACES or (
        not source.digits and places >= ROUNDED_FLOAT_PLACES and abs(short - value) <= ROUNDED * abs(value)
    )
    enough = near and printed.digits >= ROUNDED_DIGITS
    of_float = places >= ROUNDED_FLOAT_PLACES and printed.digits >= ROUNDED_FLOAT_DIGITS
    if not (enough or (of_float and source.digits >= NOISE_DIGITS)):
        return False
    if not source.digits and 10**places % value.denominator == 0:
        return False  # an exact value with that many places is not rounded
    return abs(short - value) * 2 * 10**places <= 1


def _collections(a: Answer, b: Answer) -> str:
    if len(a.parts) != len(b.parts) or not 0 < len(a.parts) <= _MAX_PARTS:
        return ""
    kinds, forms = {a.kind, b.kind}, {a.form, b.form}
    other = b if a.form in ("()", "<>") else a
    if "matrix" in kinds:
        reason = "same entries" if len(kinds) == 1 and a.key.count("[") == b.key.count("[") else ""
    elif "<>" in forms and forms <= {"<>", "()", "[]"}:
        reason = "same entries"
    elif len(forms) == 1 and kinds & {"interval", "tuple"}:
        reason = "same members"
    elif forms <= {"", "{}", "[]", "names"}:
        return "same members in any order" if _unordered(a, b) else ""
    elif forms & {"()", "<>"} and "interval" not in kinds and (other.kind == "list" or other.form == "names"):
        reason = "same members in this order"
    else:
        reason = ""
    return reason if reason and all(map(_same, a.parts, b.parts)) else ""


def _same(a: Answer, b: Answer) -> bool:
    verdict = compare_answers(a, b)
    return verdict is not None and bool(verdict.equal)


def _unordered(a: Answer, b: Answer) -> bool:
    remaining = list(b.parts)
    for part in a.parts:
        match = next((other for other in remaining if _same(part, other)), None)
        if match is None:
            return False
        remaining.remove(match)
    return True
