"""Comparing two answers by their canonical forms: no process, no evaluation of text."""

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
_COLLECTIONS = ("tuple", "list", "set", "interval", "matrix")
_UNORDERED = ("", "{}", "[]")
_MAX_PARTS = 200
_ZERO_NOISE = Fraction(1, 10**3)  # beside an exact zero, noise is what is left of numbers of a usual size
_OTHERS = {"eq": "same equation", "unit": "same quantity in other units"}


def compare_keys(gold: Answer, prediction: Answer) -> Comparison | None:
    """Equal when the keys are; None says nothing either way."""
    if gold.key == prediction.key and _compatible(gold.kind, prediction.kind):
        return Comparison(True, f"same {gold.kind}" if gold.kind == prediction.kind else "same value")
    return None


def _compatible(left: str, right: str) -> bool:
    return left == right or (left in ("text", "choice", "boolean")) == (right in ("text", "choice", "boolean"))


def compare_answers(gold: Answer, prediction: Answer) -> Comparison | None:
    """Whether two answers are equal by the rules of policy.py; None where only Math-Verify may tell."""
    same = compare_keys(gold, prediction)
    if same is not None:
        return same
    kinds = {gold.kind, prediction.kind}
    if kinds in ({"relation", "interval"}, {"relation", "tuple"}):
        return None
    if "opaque" in kinds:
        plain = kinds & {"text", "choice", "boolean"}
        return Comparison(False, "words against mathematics") if plain else None
    reason = _lenient(gold, prediction)
    if reason:
        return Comparison(True, reason)
    return Comparison(False, f"{_shown(gold)} is not {_shown(prediction)}")


def _shown(answer: Answer) -> str:
    text = answer.key if answer.kind in _NUMERIC and len(answer.key) <= 20 else answer.text
    return text if len(text) <= 60 else f"{text[:57]}..."


def _lenient(a: Answer, b: Answer) -> str:
    """The rule by which two answers with different keys are equal, or an empty string."""
    if a.kind in _NUMERIC and b.kind in _NUMERIC:
        return _numbers(a, b) or _other_reading(a, b)
    if a.kind in _COLLECTIONS and b.kind in _COLLECTIONS:
        return _collections(a, b)
    for one, two in ((a, b), (b, a)):
        if one.kind == "time" and two.kind == "ratio" and not one.form and _reduced(one.key) == two.key:
            return "same ratio"
        if one.kind == "ratio" and two.kind in _NUMERIC and two.key == one.key.replace(":1", "").replace(":", "/"):
            return "same ratio"
        if one.kind == "choice" and two.kind == "symbolic" and two.text.strip("()") == one.key.lower():
            return "same choice"
    if a.kind == b.kind == "time" and bool(a.form) != bool(b.form):
        return "same time" if _clock(a) == _clock(b) else ""
    return _other_reading(a, b)


def _other_reading(a: Answer, b: Answer) -> str:
    """`1,22` as a decimal, `y = 2x` as an equation, 2 hours as 120 minutes."""
    for one, two in ((a, b), (b, a)):
        if one.other and one.other in (two.other, two.key):
            return _OTHERS.get(one.other.partition(":")[0], "another reading")
    return ""


def _reduced(clock: str) -> str:
    hour, minute = (int(part) for part in clock.split(":"))
    return str(Fraction(hour, minute)).replace("/", ":") if minute else ""


def _clock(answer: Answer) -> tuple[int, int]:
    hour, minute = (int(part) for part in answer.key.split(":"))
    return hour % 12, minute


def _value(answer: Answer) -> Fraction | None:
    try:
        return Fraction(answer.key)
    except ValueError:
        return None  # infinite


def _numbers(a: Answer, b: Answer) -> str:
    left, right = _value(a), _value(b)
    if left is None or right is None:
        return ""
    reason = _close(left, a, right, b)
    if not reason and a.kind != b.kind:
        hundredth = (left / 100, right) if a.kind == "percent" else (left, right / 100)
        reason = "percent" if hundredth[0] == hundredth[1] else ""
        reason = reason or (_close(hundredth[0], a, hundredth[1], b) and "percent")
    return reason


def _close(left: Fraction, a: Answer, right: Fraction, b: Answer) -> str:
    difference = abs(left - right)
    size = max(abs(left), abs(right)) if left and right else _ZERO_NOISE
    if max(a.digits, b.digits) >= NOISE_DIGITS and difference <= NOISE * size:
        return "equal up to float noise"
    if (a.digits and _rounds_to(left, a, right, b)) or (b.digits and _rounds_to(right, b, left, a)):
        return "rounded"
    return ""


def _rounds_to(short: Fraction, printed: Answer, value: Fraction, source: Answer) -> bool:
    """Whether a printed decimal is the correct rounding of a longer value to its places."""
    places = printed.places
    if source.digits and source.places <= places:
        return False
    near = places >= ROUNDED_PLACES or (
        not source.digits and places >= ROUNDED_FLOAT_PLACES and abs(short - value) <= ROUNDED * abs(value)
    )
    enough = near and printed.digits >= ROUNDED_DIGITS
    of_float = places >= ROUNDED_FLOAT_PLACES and printed.digits >= ROUNDED_FLOAT_DIGITS
    if not (enough or (of_float and source.digits >= NOISE_DIGITS)):
        return False
    if not source.digits and value.denominator <= 10**places and 10**places % value.denominator == 0:
        return False  # an exact value with that many places is not rounded
    return abs(short - value) * 2 * 10**places <= 1


def _collections(a: Answer, b: Answer) -> str:
    if len(a.parts) != len(b.parts) or not a.parts or len(a.parts) > _MAX_PARTS:
        return ""
    if a.kind == b.kind == "matrix":
        return "same entries" if a.key.count("[") == b.key.count("[") and _ordered(a, b) else ""
    if "matrix" in (a.kind, b.kind):
        return ""
    if "<>" in (a.form, b.form) and {a.form, b.form} <= {"<>", "()", "[]"}:
        return "same entries" if _ordered(a, b) else ""
    if a.form == b.form and (a.kind in ("interval", "tuple") or b.kind in ("interval", "tuple")):
        return "same members" if _ordered(a, b) else ""
    forms = {a.form, b.form}
    if forms <= {*_UNORDERED, "names"} and {a.kind, b.kind} <= {"list", "set", "interval", "tuple"}:
        return "same members in any order" if _unordered(a, b) else ""
    if forms & {"()", "<>"} and "interval" not in (a.kind, b.kind):
        other = b if a.form in ("()", "<>") else a
        if other.kind == "list" or other.form == "names":
            return "same members in this order" if _ordered(a, b) else ""
    return ""


def _same(a: Answer, b: Answer) -> bool:
    verdict = compare_answers(a, b)
    return verdict is not None and bool(verdict.equal)


def _ordered(a: Answer, b: Answer) -> bool:
    return all(_same(left, right) for left, right in zip(a.parts, b.parts, strict=True))


def _unordered(a: Answer, b: Answer) -> bool:
    remaining = list(b.parts)
    for part in a.parts:
        match = next((other for other in remaining if _same(part, other)), None)
        if match is None:
            return False
        remaining.remove(match)
    return True
