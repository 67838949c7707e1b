"""The leaves of a tree that take some work: numbers, repeating decimals, what Python and SymPy print."""

from __future__ import annotations

from fractions import Fraction

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
    decimals = digits.partition(".")[2]
    for length in (1, 2, 3):
        period = decimals[-length:]
        if len(decimals) >= 2 * length and len(decimals) > 1 and decimals[-2 * length : -length] == period:
            return repeat(digits[:-length], period)
    raise Unreadable("digits are missing")


def constructed(name: str, form: str, members: list[Node]) -> Node:
    if name in ("Fraction", "Rational") and len(members) == 2:
        return ("div", members[0], members[1])
    if name in ("Matrix", "ImmutableMatrix", "array") and len(members) == 1:
        rows = members[0][3] if members[0][0] == "seq" else []
        if rows and all(row[0] == "seq" for row in rows):
            return ("matrix", [row[3] for row in rows])
        return ("matrix", [[member] for member in rows]) if rows else members[0]
    if name == "Interval" and len(members) >= 2:
        left, right = form in ("open", "Lopen"), form in ("open", "Ropen")
        if len(members) == 4:
            left, right = members[2] == ("sym", "True"), members[3] == ("sym", "True")
        return ("seq", "(" if left else "[", ")" if right else "]", members[:2])
    if name == "Union" and members:
        node = members[0]
        for member in members[1:]:
            node = ("cup", node, member)
        return node
    if name in ("Eq", "Ne") and len(members) == 2:
        return ("chain", members, ["=" if name == "Eq" else "!="])
    if name in ("And", "Or") and len(members) > 1:
        return ("list", members, [name.lower()] * (len(members) - 1))
    if name == "FiniteSet":
        return ("seq", r"\{", r"\}", members)
    if len(members) == 1:
        return members[0]
    raise Unreadable(f"cannot read {name}")
