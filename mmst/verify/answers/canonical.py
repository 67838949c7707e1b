"""From a tree to an answer with its key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from itertools import chain, pairwise, zip_longest
from typing import Any

from mmst.verify.answers.answer import Answer, Unreadable
from mmst.verify.answers.clean import words_key
from mmst.verify.answers.intervals import (
    absolute_interval,
    difference,
    intersection,
    interval,
    relation_interval,
    union,
)
from mmst.verify.answers.tree import Node, has_sign, symbols, with_sign
from mmst.verify.answers.value import as_key, sample, value_key

_DECIMAL_COMMA = re.compile(r"[$€£\s]*(-?\d{1,15}),(\d{1,15})\s*(?:[$€£]|[A-Za-z]+)?\s*", re.ASCII)
_CHOICES = frozenset("ABCDEFGHIJ")
_EQUAL = frozenset(("=", "~"))


def canonical(node: Node, text: str) -> Answer:
    """The answer that a tree stands for, with `text` as its text; raises Unreadable."""
    if node[0] in ("list", "seq", "chain", "matrix", "ratio") or not has_sign(node):
        return _answer(node, text)
    return collection("list", "", [_answer(with_sign(node, plus), text) for plus in (True, False)], text)


def _answer(node: Node, text: str) -> Answer:
    match node[0]:
        case "num":
            return Answer(text, *value_key(node), places=node[2], digits=node[3])
        case "neg" if node[1][0] == "num":
            return Answer(text, *value_key(node), places=node[1][2], digits=node[1][3])
        case "percent" if not symbols(node):
            return Answer(text, "percent", value_key(node[1])[1])
        case "degrees":
            return _answer(node[1], text)
        case "text":
            return Answer(text, "text", words_key(node[1]))
        case "based":
            return Answer(text, "based", f"{node[1]}_{node[2]}")
        case "ratio":
            return _ratio(node[1], text)
        case "matrix":
            return _matrix(node[1], text)
        case "seq":
            return _sequence(node[1], node[2], node[3], text)
        case "list":
            return _list(node[1], node[2], text)
        case "chain":
            return _chain(node[1], node[2], text)
        case "cup":
            return union(canonical(node[1], text), canonical(node[2], text), text)
        case "minus":
            return difference(canonical(node[1], text), canonical(node[2], text), text)
        case "sym" if node[1] == r"\mathbb{R}":
            return all_numbers(text)
        case "sym" if node[1] in _CHOICES:
            return Answer(text, "choice", node[1])
    return Answer(text, *value_key(node))


def all_numbers(text: str) -> Answer:
    """The real line."""
    return interval("()", Answer(text, "number", "-inf"), Answer(text, "number", "inf"), text)


def _ratio(members: list[Node], text: str) -> Answer:
    values = tuple(canonical(member, text) for member in members)
    if len(values) == 2 and all(value.kind == "number" for value in values):
        left, right = (value.number for value in values)
        if left is None or not right:
            raise Unreadable("ratio")
        reduced: Fraction = left / right
        return Answer(text, "ratio", f"{reduced.numerator}:{reduced.denominator}", values)
    return Answer(text, "ratio", ":".join(value.key for value in values), values)


def _matrix(rows: list[list[Node]], text: str) -> Answer:
    keys = [[_single(cell, text) for cell in row] for row in rows]
    cells = tuple(chain.from_iterable(keys))
    if len(rows) == 1 or len(rows[0]) == 1:
        return collection("tuple", "<>", cells, text)
    key = ",".join(f"[{','.join(cell.key for cell in row)}]" for row in keys)
    return Answer(text, "matrix", f"[{key}]", cells)


def _single(node: Node, text: str) -> Answer:
    """One value: a cell of a matrix or an end of an interval."""
    if has_sign(node):
        raise Unreadable("two values in the place of one")
    return canonical(node, text)


def collection(kind: str, form: str, members: Sequence[Answer], text: str) -> Answer:
    """Several answers as one: tuples keep order and repetition, lists and sets neither."""
    if kind == "tuple" and len(members) > 1:
        return Answer(text, kind, f"({','.join(member.key for member in members)})", tuple(members), form=form)
    distinct = {member.key: member for member in members}
    if len(distinct) == 1:
        return replace(members[0], text=text)
    return Answer(text, kind, f"{{{';'.join(sorted(distinct))}}}", tuple(distinct.values()), form=form)


def _members(nodes: Sequence[Node], text: str) -> list[Answer]:
    """The answers of members, plus-minus signs and bare lists opened."""
    return list(chain.from_iterable(opened(canonical(node, text)) for node in nodes))


def opened(answer: Answer) -> tuple[Answer, ...]:
    """The members of a bare list; any other answer alone."""
    return answer.parts if answer.kind == "list" and not answer.form else (answer,)


def _sequence(opening: str, closing: str, nodes: list[Node], text: str) -> Answer:
    if opening == r"\{" or (opening == "{" and any(node[0] == "ratio" for node in nodes)):
        return _braces(nodes, text)
    if opening == "[" and nodes and all(node[0] == "seq" and node[1] == "[" for node in nodes):
        widths = {len(node[3]) for node in nodes}
        if len(widths) == 1 and widths != {0}:
            return _matrix([node[3] for node in nodes], text)
    if opening == "[" and len(nodes) == 1 and nodes[0][0] == "matrix":
        return canonical(nodes[0], text)
    if len(nodes) == 2 and opening in "([" and closing in ")]" and opening + closing != "()":
        return interval(opening + closing, _single(nodes[0], text), _single(nodes[1], text), text)
    members = _members(nodes, text)
    if opening in ("(", r"\langle"):
        return collection("tuple", "()", members, text)
    return collection("list", "[]" if opening == "[" else "{}", members, text)


def _braces(nodes: list[Node], text: str) -> Answer:
    """A set, a set builder `{x : x > 3}`, or a dictionary as SymPy prints solutions: `{x: 3, y: 2}`."""
    if nodes and all(node[0] == "ratio" and len(node[1]) == 2 for node in nodes):
        if len(nodes) == 1 and nodes[0][1][1][0] == "chain":
            return canonical(nodes[0][1][1], text)
        return _list([("chain", list(node[1]), ["="]) for node in nodes], [","] * (len(nodes) - 1), text)
    if len(nodes) == 1 and nodes[0][0] == "chain" and nodes[0][1][0][0] == "ratio":
        operands, relations = nodes[0][1], nodes[0][2]
        return canonical(("chain", [operands[0][1][-1], *operands[1:]], relations), text)
    return collection("set", "{}", _members(nodes, text), text)


# Several values


def _list(nodes: list[Node], separators: list[str], text: str) -> Answer:
    names = [_name_of(node) for node in nodes]
    groups = _groups(nodes, separators, names)
    if groups:
        return collection("list", "", [_list(group, [","] * (len(group) - 1), text) for group in groups], text)
    if all(names) and len(set(names)) > 1:  # `a = 4, b = 5`: a tuple in the order of the names
        values = [canonical(node, text) for node in nodes]
        ordered = sorted(zip(names, values, strict=True), key=lambda pair: str(pair[0]))
        return Answer(text, "tuple", f"({','.join(value.key for _, value in ordered)})", tuple(values), form="names")
    members = _members(nodes, text)
    joined = {"and", "or"}.intersection(separators)
    if joined and all(node[0] == "chain" for node in nodes) and all(member.kind == "interval" for member in members):
        combine = intersection if joined == {"and"} else union
        return reduce(lambda left, right: combine(left, right, text), members)
    comma = _DECIMAL_COMMA.fullmatch(text)  # `1,22` may be a decimal
    other = str(Fraction(f"{comma[1]}.{comma[2]}")) if comma else ""
    return replace(collection("list", "", members, text), other=other)


def _groups(nodes: list[Node], separators: list[str], names: list[str | None]) -> list[list[Node]]:
    """`p=5, q=2; p=7, q=2` and `1,2;3,4` in groups of equal size; empty for an ungrouped list."""
    kinds = set(separators)
    if "," in kinds and len(kinds) > 1:
        starts = [0, *(place for place, separator in enumerate(separators, 1) if separator != ","), len(nodes)]
        groups = [nodes[start:end] for start, end in pairwise(starts)]
        same_size = len({len(group) for group in groups}) == 1 and len(groups[0]) > 1
        if same_size and (all(names) or kinds == {",", ";"}):
            return groups
    period = len(set(names))
    if None not in names and 1 < period < len(names) and names == names[:period] * (len(names) // period):
        return [nodes[start : start + period] for start in range(0, len(nodes), period)]
    return []


# Equations and inequalities


def _name_of(node: Node) -> str | None:
    """The left side of `name = value`, as text; None for anything else."""
    if node[0] == "chain" and _EQUAL.issuperset(node[2]) and _is_name(node[1][0]):
        return str(node[1][0])
    return None


def _is_name(node: Node) -> bool:
    """Whether something only names a quantity: x, f(x), x_1, AB, |AB|, NO/BO, V_1 : V_2, (p, q), words."""
    match node[0]:
        case "sym" | "text":
            return True
        case "mul":
            _, function, argument = node
            applied = function[0] == "sym" and (argument[1] if argument[0] == "neg" else argument)[0]
            return _is_name(function) and (_is_name(argument) or applied in ("num", "seq"))
        case "div":
            return _is_name(node[1]) and _is_name(node[2])
        case "ratio":
            return all(_is_name(part) for part in node[1])
        case "seq":
            return bool(node[3]) and all(_is_name(part) for part in node[3])
        case "call":
            return node[1] == "abs" and _is_name(node[2][0])
    return False


def _chain(operands: list[Node], relations: list[str], text: str) -> Answer:
    if _EQUAL.issuperset(relations):
        return _equation(operands, relations, text)
    if relations[-1] == "in" and _EQUAL.issuperset(relations[:-1]):
        return canonical(operands[-1], text)
    if not {"in", "=", "~"}.isdisjoint(relations):
        raise Unreadable("mixed relations")
    named = [("sym", str(operand)) if operand[0] == "mul" and _is_name(operand) else operand for operand in operands]
    return (
        absolute_interval(operands, relations, text)
        or relation_interval(named, relations, text)
        or _relation(operands, relations, text)
    )


def _equation(operands: list[Node], relations: list[str], text: str) -> Answer:
    if "~" in relations[1:]:
        operands = operands[: relations.index("~", 1) + 1]
    names = [_is_name(operand) for operand in operands]
    if any(names[:-1]) or not any(symbols(operand) for operand in operands):
        value = canonical(operands[-1], text)
    elif names[-1]:
        value = canonical(operands[0], text)
    else:
        return Answer(text, "equation", _equation_key(operands))
    if value.kind == "symbolic" and len(operands) == 2:
        try:
            return replace(value, other=_equation_key(operands))
        except Unreadable:
            return value
    return value


def _differences(operands: list[Node]) -> list[Any]:
    """Left minus right at three points."""
    return [sample(("sub", *operands), point) for point in (1, 2, 3)]


def _equation_key(operands: list[Node]) -> str:
    """The differences of the sides as ratios: multiples of an equation agree."""
    if len(operands) != 2:
        raise Unreadable("chain of equations")
    values = _differences(operands)
    if any(abs(value) < 1e-20 for value in values):
        raise Unreadable("equation without content")
    return "eq:" + ",".join(as_key(_real(value / values[0])) for value in values[1:])


def _real(value: Any) -> Any:
    if value.imag:
        raise Unreadable("complex values")
    return value.real


def _relation(operands: list[Node], relations: list[str], text: str) -> Answer:
    """An inequality that is no interval: its sides by their keys, turned so that they rise."""
    if relations[0] in (">", ">="):
        operands, relations = operands[::-1], [{">": "<", ">=": "<="}.get(r, r) for r in relations[::-1]]
    if len(operands) > 2:
        keys = [canonical(operand, text).key for operand in operands]
        return Answer(text, "relation", " ".join(chain(*zip_longest(keys, relations, fillvalue=""))).strip())
    values = [_real(value) for value in _differences(operands)]
    if abs(values[0]) < 1e-20:
        raise Unreadable("relation without content")
    scale = values[0] if relations == ["!="] else abs(values[0])
    return Answer(text, "relation", f"{relations[0]}:" + ",".join(as_key(value / scale) for value in values))
