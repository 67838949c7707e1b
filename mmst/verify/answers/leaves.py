"""The leaves of a tree that take some work: numbers, repeating decimals, what Python and SymPy print."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import reduce

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.numerals import decimal_fraction, printed_number
from mmst.verify.answers.tree import Node


def number(digits: str) -> Node:
    """The node of a plain decimal."""
    return ("num", *printed_number(digits))


def repeat(digits: str, period: str) -> Node:
    """`0.1` and `6` are 1/6."""
    if not period.isdigit() or len(period) > 30:
        raise Unreadable("not a repeating decimal")
    decimals = len(digits.partition(".")[2])
    tail = Fraction(int(period), (10 ** len(period) - 1) * 10**decimals)
    return ("num", decimal_fraction(digits) + tail, -1, 0)


def repeating(digits: str) -> Node:
    """`0.333...` is 1/3; without a repeated end the dots only say that digits are missing."""
    for length in (1, 2, 3):
        if match := re.fullmatch(rf"(\d*\.\d*)(\d{{{length}}})\2", digits):
            return repeat(match[1], match[2])
    raise Unreadable("digits are missing")


def constructed(name: str, form: str, members: list[Node]) -> Node:
    """What a constructor stands for: `Fraction(5, 2)`, `Interval.open(0, 1)`, `FiniteSet(1, 2)`; raises Unreadable."""
    match name, len(members):
        case "Fraction" | "Rational", 2:
            return ("div", *members)
        case "Matrix" | "ImmutableMatrix" | "array", 1:
            rows = members[0][3] if members[0][0] == "seq" else []
            if rows and all(row[0] == "seq" for row in rows):
                return ("matrix", [row[3] for row in rows])
            return ("matrix", [[member] for member in rows]) if rows else members[0]
        case "Interval", 2 | 3 | 4:
            left, right = form in ("open", "Lopen"), form in ("open", "Ropen")
            if len(members) == 4:
                left, right = (member == ("sym", "True") for member in members[2:])
            return ("seq", "(" if left else "[", ")" if right else "]", members[:2])
        case "Union", count if count:
            return reduce(lambda left, right: ("cup", left, right), members)
        case "Eq" | "Ne", 2:
            return ("chain", members, ["=" if name == "Eq" else "!="])
        case "And" | "Or", count if count > 1:
            return ("list", members, [name.lower()] * (count - 1))
        case "FiniteSet", _:
            return ("seq", r"\{", r"\}", members)
        case _, 1:
            return members[0]
    raise Unreadable(f"cannot read {name}")
