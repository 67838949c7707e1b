"""Intervals and their unions, and the inequalities in one variable that stand for them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from mmst.verify.answers.answer import Answer, Unreadable
from mmst.verify.answers.tree import Node, symbols
from mmst.verify.answers.value import as_key, value_at

_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!="}
_INFINITE = {"inf": float("inf"), "-inf": float("-inf")}


def interval(opening: str, low: Answer, high: Answer, closing: str, text: str) -> Answer:
    """One interval. `(a, b)` comes as a tuple from the grammar and becomes an interval only in a union."""
    if low.key == high.key and opening + closing == "[]":
        return Answer(text, "list", "{" + f"{low.key};{high.key}" + "}", (low, high), form="[]")
    opening = "(" if low.key in _INFINITE else opening
    closing = ")" if high.key in _INFINITE else closing
    return Answer(text, "interval", f"{opening}{low.key},{high.key}{closing}", (low, high), form=opening + closing)


def union(operation: str, left: Answer, right: Answer, text: str) -> Answer:
    """The union of intervals and sets, or a set without some points."""
    if operation == "minus":
        points = list(right.parts) if right.kind == "set" else [right]
        if left.kind not in ("interval", "tuple") or not all(point.kind == "number" for point in points):
            raise Unreadable("set difference")
        return _without(left, sorted(points, key=_place), text)
    if operation == "cap":
        raise Unreadable("intersection")
    pieces = [*_pieces(left), *_pieces(right)]
    if all(piece.kind not in ("interval", "tuple") for piece in pieces):
        keys = sorted({piece.key for piece in pieces})
        return Answer(text, "set", "{" + ";".join(keys) + "}", tuple(pieces), form="{}")
    pieces = _merged(sorted(pieces, key=_start))
    if len(pieces) == 1:
        return pieces[0]
    return Answer(text, "interval", "∪".join(piece.key for piece in pieces), tuple(pieces), form="∪")


def union_of(left: Answer, right: Answer, text: str) -> Answer:
    """`x < 1 or x > 3`."""
    return union("cup", left, right, text)


def intersection(left: Answer, right: Answer, text: str) -> Answer:
    """`x > 1 and x < 3`; raises Unreadable for pieces that have more than one part."""
    if "∪" in (left.form, right.form):
        raise Unreadable("intersection of unions")
    low = max(left, right, key=lambda piece: (_place(piece.parts[0]), piece.key[0] == "("))
    high = min(left, right, key=lambda piece: (_place(piece.parts[1]), piece.key[-1] == "]"))
    if _place(low.parts[0]) >= _place(high.parts[1]):
        raise Unreadable("empty intersection")
    return _open_or(low.key[0], low.parts[0], high.parts[1], high.key[-1], text)


def _pieces(answer: Answer) -> list[Answer]:
    if answer.form == "∪" or (answer.kind in ("set", "list") and answer.form != "∪"):
        return list(answer.parts)
    if answer.kind == "interval" or (answer.kind == "tuple" and len(answer.parts) == 2) or answer.kind == "number":
        return [answer]
    raise Unreadable("union of something else")


def _place(answer: Answer) -> float:
    try:
        return _INFINITE.get(answer.key) or float(Fraction(answer.key))
    except (ValueError, OverflowError):
        return 0.0


def _start(piece: Answer) -> tuple[float, str]:
    return (_place(piece.parts[0]) if piece.parts else _place(piece), piece.key)


def _merged(pieces: list[Answer]) -> list[Answer]:
    """Neighbours that touch in a point that one of them contains become one."""
    merged = pieces[:1]
    for piece in pieces[1:]:
        last = merged[-1]
        if last.parts and piece.parts and last.parts[1].key == piece.parts[0].key:
            if last.key.endswith("]") or piece.key.startswith("["):
                merged[-1] = interval(last.key[0], last.parts[0], piece.parts[1], piece.key[-1], last.text)
                continue
        elif last.parts and not piece.parts and last.parts[1].key == piece.key:
            merged[-1] = interval(last.key[0], last.parts[0], last.parts[1], "]", last.text)
            continue
        elif piece.parts and not last.parts and piece.parts[0].key == last.key:
            merged[-1] = interval("[", piece.parts[0], piece.parts[1], piece.key[-1], last.text)
            continue
        merged.append(piece)
    return merged


def _without(whole: Answer, points: list[Answer], text: str) -> Answer:
    low, high = whole.parts
    pieces, opening = [], whole.key[0]
    for point in points:
        pieces.append(interval(opening, low, point, ")", text))
        low, opening = point, "("
    pieces.append(interval(opening, low, high, whole.key[-1], text))
    return Answer(text, "interval", "∪".join(piece.key for piece in pieces), tuple(pieces), form="∪")


def relation_interval(operands: list[Node], relations: list[str], text: str) -> Answer | None:
    """The interval of a linear inequality, or of a chain of two, in one variable; None where it is none."""
    names = set().union(*(symbols(operand) for operand in operands))
    if len(names) != 1 or len(operands) > 3:
        return None
    name = names.pop()
    bounds = []
    for left, relation, right in zip(operands, relations, operands[1:], strict=False):
        bound = _linear_bound(("sub", left, right), relation, name)
        if bound is None:
            return None
        bounds.append(bound)
    return _from_bounds(bounds, text)


def _linear_bound(difference: Node, relation: str, name: str) -> tuple[Any, str] | None:
    """(place, relation) of `name relation place`."""
    try:
        at = [value_at(difference, {name: Fraction(place)}) for place in (0, 1, 3)]
    except Unreadable:
        return None
    slope = at[1] - at[0] if type(at[1]) is type(at[0]) else None
    if slope is None or type(at[2]) is not type(at[0]) or abs(at[2] - at[0] - 3 * slope) > 1e-20 or not slope:
        return None
    if slope.imag or at[0].imag:
        return None
    return -at[0].real / slope.real, relation if slope.real > 0 else _TURNED[relation]


def _from_bounds(bounds: list[tuple[Any, str]], text: str) -> Answer | None:
    low, high = ("(", "-inf"), ("inf", ")")
    for place, relation in bounds:
        key = as_key(place)
        if relation == "!=":
            if len(bounds) > 1:
                return None
            ends = [Answer(text, "number", end) for end in ("-inf", key, "inf")]
            return union(
                "cup", interval("(", ends[0], ends[1], ")", text), interval("(", ends[1], ends[2], ")", text), text
            )
        if relation in (">", ">="):
            low = ("[" if relation == ">=" else "(", key)
        else:
            high = (key, "]" if relation == "<=" else ")")
    if len(bounds) == 2 and "inf" in (low[1].lstrip("-"), high[0]):
        return None
    ends = [Answer(text, "number", low[1]), Answer(text, "number", high[0])]
    return _open_or(low[0], ends[0], ends[1], high[1], text)


def _open_or(opening: str, low: Answer, high: Answer, closing: str, text: str) -> Answer:
    if opening + closing == "()":
        return Answer(text, "interval", f"({low.key},{high.key})", (low, high), form="()")
    return interval(opening, low, high, closing, text)


def absolute_interval(operands: list[Node], relations: list[str], text: str) -> Answer | None:
    """`1 <= |z| <= 3/2` as two intervals, `|x - 2| < 3` as one; None where it is neither."""
    inner = [operand for operand in operands if symbols(operand)]
    if len(inner) != 1 or inner[0][:2] != ("call", "abs"):
        return None
    inside, size = inner[0][2][0], ("sym", "|")
    sizes = relation_interval([size if operand is inner[0] else operand for operand in operands], relations, text)
    if sizes is None or sizes.form == "∪":
        return None
    low, high = (("neg", ("const", "inf")) if end.key == "-inf" else _bound_node(end) for end in sizes.parts)
    above, below = (("<=" if bracket in "[]" else "<") for bracket in (sizes.key[0], sizes.key[-1]))
    if sizes.parts[0].key == "-inf":
        return relation_interval([("neg", high), inside, high], [below, below], text)
    if sizes.parts[1].key == "inf":
        sides = ([low, inside], [above]), ([inside, ("neg", low)], [above])
    else:
        sides = ([low, inside, high], [above, below]), ([("neg", high), inside, ("neg", low)], [below, above])
    pieces = [relation_interval(*side, text) for side in sides]
    return union("cup", pieces[0], pieces[1], text) if pieces[0] and pieces[1] else None


def _bound_node(end: Answer) -> Node:
    return ("const", "inf") if end.key == "inf" else ("num", Fraction(end.key), -1, 0)
