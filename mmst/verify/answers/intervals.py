"""Intervals and their unions, and the inequalities in one variable that stand for them.

An interval is an Answer whose parts are its two ends and whose form is its two brackets. `(a, b)` is read as a tuple
and counts as an open interval beside another interval.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from mmst.verify.answers.answer import Answer, Unreadable
from mmst.verify.answers.tree import Node, symbols
from mmst.verify.answers.value import as_key, value_at

_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!="}
_INFINITE = {"inf": float("inf"), "-inf": float("-inf")}


def interval(brackets: str, low: Answer, high: Answer, text: str) -> Answer:
    """One interval; an infinite end is open. `[a, a]` is the list that Python prints."""
    if low.key == high.key and brackets == "[]":
        return Answer(text, "list", f"{{{low.key};{high.key}}}", (low, high), form="[]")
    opening = "(" if low.key in _INFINITE else brackets[0]
    closing = ")" if high.key in _INFINITE else brackets[1]
    return Answer(text, "interval", f"{opening}{low.key},{high.key}{closing}", (low, high), form=opening + closing)


def union(left: Answer, right: Answer, text: str) -> Answer:
    """The union of intervals, points and sets; raises Unreadable for anything else."""
    pieces = [*_pieces(left), *_pieces(right)]
    if not any(_is_span(piece) for piece in pieces):
        return Answer(text, "set", f"{{{';'.join(sorted({piece.key for piece in pieces}))}}}", tuple(pieces), form="{}")
    pieces.sort(key=lambda piece: (_place(_ends(piece)[0]), piece.key))
    merged = pieces[:1]
    for piece in pieces[1:]:
        merged[-1:] = _merged(merged[-1], piece, text)
    return _union_of(merged, text)


def difference(whole: Answer, points: Answer, text: str) -> Answer:
    """An interval without some points; raises Unreadable for anything else."""
    cuts = list(points.parts) if points.kind == "set" else [points]
    if whole.form == "∪" or not _is_span(whole) or any(point.kind != "number" for point in cuts):
        raise Unreadable("set difference")
    (low, high), brackets, pieces = _ends(whole), _brackets(whole), []
    for point in sorted(cuts, key=_place):
        pieces.append(interval(f"{brackets[0]})", low, point, text))
        low, brackets = point, f"({brackets[1]}"
    return _union_of([*pieces, interval(brackets, low, high, text)], text)


def intersection(left: Answer, right: Answer, text: str) -> Answer:
    """`x > 1 and x < 3`; raises Unreadable for an empty one and for pieces that have more than one part."""
    if "∪" in (left.form, right.form):
        raise Unreadable("intersection of unions")
    low = max(left, right, key=lambda piece: (_place(piece.parts[0]), piece.form[0] == "("))
    high = min(left, right, key=lambda piece: (_place(piece.parts[1]), piece.form[1] == "]"))
    if _place(low.parts[0]) >= _place(high.parts[1]):
        raise Unreadable("empty intersection")
    return interval(low.form[0] + high.form[1], low.parts[0], high.parts[1], text)


def _union_of(pieces: list[Answer], text: str) -> Answer:
    if len(pieces) == 1:
        return pieces[0]
    return Answer(text, "interval", "∪".join(piece.key for piece in pieces), tuple(pieces), form="∪")


def _pieces(answer: Answer) -> list[Answer]:
    if answer.form == "∪" or answer.kind in ("set", "list"):
        return list(answer.parts)
    if answer.kind == "number" or _is_span(answer):
        return [answer]
    raise Unreadable("union of something else")


def _is_span(piece: Answer) -> bool:
    return piece.kind == "interval" or (piece.kind == "tuple" and len(piece.parts) == 2)


def _ends(piece: Answer) -> tuple[Answer, Answer]:
    low, high = piece.parts if _is_span(piece) else (piece, piece)
    return low, high


def _brackets(piece: Answer) -> str:
    return piece.form if piece.kind == "interval" else "()" if piece.kind == "tuple" else "[]"


def _place(end: Answer) -> float:
    try:
        return _INFINITE.get(end.key) or float(end.number or 0)
    except OverflowError:
        return 0.0


def _merged(left: Answer, right: Answer, text: str) -> list[Answer]:
    """Two neighbours; one piece where they touch in a point that either contains."""
    before, after = _brackets(left), _brackets(right)
    touching = _ends(left)[1].key == _ends(right)[0].key and (before[1] == "]" or after[0] == "[")
    if not touching or not (_is_span(left) or _is_span(right)):
        return [left, right]
    return [interval(before[0] + after[1], _ends(left)[0], _ends(right)[1], text)]


def relation_interval(operands: list[Node], relations: list[str], text: str) -> Answer | None:
    """The interval of a linear inequality, or of a chain of two, in one variable; None for any other relation."""
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
    """(place, relation) of `name relation place`; None where the difference is not linear."""
    try:
        at = [value_at(difference, {name: Fraction(place)}) for place in (0, 1, 3)]
    except Unreadable:
        return None
    if len({type(value) for value in at}) > 1:
        return None
    slope = at[1] - at[0]
    if not slope or slope.imag or at[0].imag or abs(at[2] - at[0] - 3 * slope) > 1e-20:
        return None
    return -at[0].real / slope.real, relation if slope.real > 0 else _TURNED[relation]


def _from_bounds(bounds: list[tuple[Any, str]], text: str) -> Answer | None:
    low, high = (Answer(text, "number", key) for key in ("-inf", "inf"))
    opening, closing = "(", ")"
    for place, relation in bounds:
        end = Answer(text, "number", as_key(place))
        match relation:
            case "!=":
                below, above = interval("()", low, end, text), interval("()", end, high, text)
                return union(below, above, text) if len(bounds) == 1 else None
            case ">" | ">=":
                low, opening = end, "(" if relation == ">" else "["
            case _:
                high, closing = end, ")" if relation == "<" else "]"
    if len(bounds) == 2 and not _INFINITE.keys().isdisjoint((low.key, high.key)):
        return None
    return interval(opening + closing, low, high, text)


def absolute_interval(operands: list[Node], relations: list[str], text: str) -> Answer | None:
    """`1 <= |z| <= 3/2` as two intervals, `|x - 2| < 3` as one; None where it is neither."""
    inner = [operand for operand in operands if symbols(operand)]
    if len(inner) != 1 or inner[0][:2] != ("call", "abs"):
        return None
    inside, size = inner[0][2][0], ("sym", "|")
    sizes = relation_interval([size if operand is inner[0] else operand for operand in operands], relations, text)
    if sizes is None or sizes.form == "∪":
        return None
    least, most = sizes.parts
    low, high = (("const", "inf") if end.number is None else ("num", end.number, -1, 0) for end in sizes.parts)
    above, below = ("<=" if bracket in "[]" else "<" for bracket in sizes.form)
    if least.key == "-inf":
        return relation_interval([("neg", high), inside, high], [below, below], text)
    if most.key == "inf":
        sides = ([low, inside], [above]), ([inside, ("neg", low)], [above])
    else:
        sides = ([low, inside, high], [above, below]), ([("neg", high), inside, ("neg", low)], [below, above])
    pieces = [relation_interval(*side, text) for side in sides]
    return union(pieces[0], pieces[1], text) if pieces[0] and pieces[1] else None
