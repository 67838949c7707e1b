"""From a tree to an answer: numbers, expressions, equations, intervals, collections, each with its key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from typing import Any

from mmst.verify.answers.answer import Answer, Unreadable
from mmst.verify.answers.intervals import absolute_interval, intersection, interval, relation_interval, union, union_of
from mmst.verify.answers.tree import Node, has_sign, symbols, with_sign
from mmst.verify.answers.value import as_key, sample, value_key

_DECIMAL_COMMA = re.compile(r"[$€£\s]*(-?\d{1,15}),(\d{1,15})\s*(?:[$€£]|[A-Za-z]+)?\s*", re.ASCII)
_CHOICES = frozenset("ABCDEFGHIJ")
_SYMBOL_SETS = {"\\mathbb{R}": ("-inf", "inf")}


def canonical(node: Node, text: str) -> Answer:
    """The answer that a tree stands for; raises Unreadable where we do not understand it."""
    answers = [_answer(variant, text) for variant in _signs(node)]
    return answers[0] if len(answers) == 1 else collection("list", "", answers, text)


def _signs(node: Node) -> list[Node]:
    """Both readings of an expression with plus-minus signs. Collections expand their members themselves."""
    if node[0] in ("list", "seq", "chain", "matrix", "ratio") or not has_sign(node):
        return [node]
    return [with_sign(node, plus) for plus in (True, False)]


def _answer(node: Node, text: str) -> Answer:
    match node[0]:
        case "num":
            return Answer(text, *value_key(node), places=node[2], digits=node[3])
        case "neg" if node[1][0] == "num":
            return Answer(text, *value_key(node), places=node[1][2], digits=node[1][3])
        case "percent" if not symbols(node):
            return Answer(text, "percent", value_key(node[1])[1])
        case "degrees":
            return replace(_answer(node[1], text), text=text)
        case "text":
            return Answer(text, "text", text_key(node[1]))
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
        case "cup" | "minus" | "cap":
            return _set_operation(node, text)
        case "sym" if node[1] in _SYMBOL_SETS:
            low, high = (Answer(text, "number", key) for key in _SYMBOL_SETS[node[1]])
            return interval("(", low, high, ")", text)
        case "sym" if node[1] in _CHOICES:
            return Answer(text, "choice", node[1])
    return Answer(text, *value_key(node))


def text_key(words: str) -> str:
    """Text without case, articles and punctuation."""
    kept = "".join(character if character.isalnum() else " " for character in words).split()
    without = [word for word in kept if word not in ("The", "the", "a", "an", "An")]
    return " ".join(without or kept).casefold()


def _ratio(members: list[Node], text: str) -> Answer:
    values = [canonical(member, text) for member in members]
    if len(values) == 2 and all(value.kind == "number" for value in values):
        try:
            left, right = (Fraction(value.key) for value in values)
            reduced = left / right
        except (ValueError, ZeroDivisionError) as error:
            raise Unreadable("ratio") from error
        return Answer(text, "ratio", f"{reduced.numerator}:{reduced.denominator}", tuple(values))
    return Answer(text, "ratio", ":".join(value.key for value in values), tuple(values))


def _matrix(rows: list[list[Node]], text: str) -> Answer:
    cells = [[_single(cell, text) for cell in row] for row in rows]
    if len(cells) == 1 or len(cells[0]) == 1:
        return collection("tuple", "<>", [cell for row in cells for cell in row], text)
    key = "[" + ",".join("[" + ",".join(cell.key for cell in row) + "]" for row in cells) + "]"
    return Answer(text, "matrix", key, tuple(cell for row in cells for cell in row))


def _single(node: Node, text: str) -> Answer:
    if has_sign(node):
        raise Unreadable("sign in a matrix")
    return canonical(node, text)


def collection(kind: str, form: str, members: Sequence[Answer], text: str) -> Answer:
    """Several answers as one: tuples keep order and repetition, lists and sets neither."""
    if kind == "tuple" and len(members) > 1:
        key = ",".join(member.key for member in members)
        return Answer(text, kind, f"({key})", tuple(members), form=form)
    distinct = {member.key: member for member in members}
    if len(distinct) == 1:
        return replace(members[0], text=text)
    return Answer(text, kind, "{" + ";".join(sorted(distinct)) + "}", tuple(distinct.values()), form=form)


def _members(nodes: Sequence[Node], text: str) -> list[Answer]:
    """The answers of members, plus-minus signs and bare lists opened."""
    answers: list[Answer] = []
    for node in nodes:
        answer = canonical(node, text)
        answers.extend(answer.parts if answer.kind == "list" and not answer.form else [answer])
    return answers


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
        low, high = (_single(node, text) for node in nodes)
        return interval(opening, low, high, closing, text)
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


def _set_operation(node: Node, text: str) -> Answer:
    left, right = canonical(node[1], text), canonical(node[2], text)
    return union(node[0], left, right, text)


# Several values


def _list(nodes: list[Node], separators: list[str], text: str) -> Answer:
    groups = _groups(nodes, separators)
    if groups:
        return collection("list", "", [_list(group, [","] * (len(group) - 1), text) for group in groups], text)
    names = [_name_of(node) for node in nodes]
    if all(names) and len(set(names)) > 1:
        return _named(nodes, [name or "" for name in names], text)
    members = _members(nodes, text)
    relations = all(node[0] == "chain" for node in nodes) and {"and", "or"}.intersection(separators)
    if relations and all(member.kind == "interval" for member in members):
        combine = intersection if relations == {"and"} else union_of
        return reduce(lambda left, right: combine(left, right, text), members)
    return replace(collection("list", "", members, text), other=_decimal_comma(text))


def _decimal_comma(text: str) -> str:
    """The key of `1,22` read as a decimal; empty for any other list."""
    match = _DECIMAL_COMMA.fullmatch(text)
    return str(Fraction(f"{match[1]}.{match[2]}")) if match else ""


def _groups(nodes: list[Node], separators: list[str]) -> list[list[Node]]:
    """`p=5, q=2; p=7, q=2` and `1,2;3,4` in groups of equal size; empty where there are none."""
    if "," in separators and set(separators) - {","}:
        groups = [[nodes[0]]]
        for node, separator in zip(nodes[1:], separators, strict=True):
            if separator == ",":
                groups[-1].append(node)
            else:
                groups.append([node])
        named = all(_name_of(node) for node in nodes)
        if (
            len({len(group) for group in groups}) == 1
            and len(groups[0]) > 1
            and (named or set(separators) == {",", ";"})
        ):
            return groups
    names = [_name_of(node) for node in nodes]
    period = len(set(names))
    if None not in names and 1 < period < len(names) and not len(names) % period:
        groups = [nodes[start : start + period] for start in range(0, len(nodes), period)]
        if all([_name_of(node) for node in group] == names[:period] for group in groups):
            return groups
    return []


def _named(nodes: list[Node], names: list[str], text: str) -> Answer:
    """`a = 4, b = 5`: a tuple by the order of the names, remembered as written."""
    members = [canonical(node, text) for node in nodes]
    ordered = [member for _, member in sorted(zip(names, members, strict=True), key=lambda pair: pair[0])]
    key = f"({','.join(member.key for member in ordered)})"
    return Answer(text, "tuple", key, tuple(members), form="names")


# Equations and inequalities


def _name_of(node: Node) -> str | None:
    """The left side of `name = value`, as text; None for anything else."""
    if node[0] != "chain" or node[2][0] not in ("=", "~") or set(node[2]) - {"=", "~"} or not _is_name(node[1][0]):
        return None
    return str(node[1][0])


def _is_name(node: Node) -> bool:
    """Whether something only names a quantity: x, f(x), x_1, AB, |AB|, NO/BO, V_1 : V_2, (p, q), words."""
    match node[0]:
        case "sym" | "text":
            return True
        case "mul":
            return _is_name(node[1]) and (_is_name(node[2]) or _is_argument(node[1], node[2]))
        case "div" | "ratio":
            return all(_is_name(part) for part in (node[1] if node[0] == "ratio" else node[1:]))
        case "seq":
            return bool(node[3]) and all(_is_name(part) for part in node[3])
        case "call":
            return node[1] == "abs" and _is_name(node[2][0])
    return False


def _is_argument(function: Node, node: Node) -> bool:
    return function[0] == "sym" and (node[0] in ("num", "seq", "sym") or (node[0] == "neg" and node[1][0] == "num"))


def _chain(operands: list[Node], relations: list[str], text: str) -> Answer:
    if set(relations) <= {"=", "~"}:
        return _equation(operands, relations, text)
    if relations == ["in"]:
        return canonical(operands[1], text)
    if all(relation in ("=", "~") for relation in relations[:-1]) and relations[-1] == "in":
        return canonical(operands[-1], text)
    if "in" in relations or "=" in relations or "~" in relations:
        raise Unreadable("mixed relations")
    if inverted := absolute_interval(operands, relations, text):
        return inverted
    named = [("sym", str(operand)) if operand[0] == "mul" and _is_name(operand) else operand for operand in operands]
    bounds = relation_interval(named, relations, text)
    return bounds or _relation(operands, relations, text)


def _equation(operands: list[Node], relations: list[str], text: str) -> Answer:
    names = [_is_name(operand) for operand in operands]
    if len(operands) > 2 and "~" in relations[1:]:
        cut = relations.index("~", 1)
        operands, names = operands[: cut + 1], names[: cut + 1]
    constants = not any(symbols(operand) for operand in operands if operand[0] != "text")
    if any(names[:-1]) or constants:
        value = canonical(operands[-1], text)
    elif names[-1]:
        value = canonical(operands[0], text)
    else:
        return Answer(text, "equation", _equation_key(operands))
    value = replace(value, text=text)
    if value.kind == "symbolic" and len(operands) == 2:
        try:
            return replace(value, other=_equation_key(operands))
        except Unreadable:
            return value
    return value


def _equation_key(operands: list[Node]) -> str:
    """The values of left minus right at three points, as ratios: multiples of an equation agree."""
    if len(operands) != 2:
        raise Unreadable("chain of equations")
    difference = ("sub", operands[0], operands[1])
    values = [sample(difference, point) for point in (1, 2, 3)]
    if any(abs(value) < 1e-20 for value in values):
        raise Unreadable("equation without content")
    return "eq:" + ",".join(as_key(_real(value / values[0])) for value in values[1:])


def _real(value: Any) -> Any:
    if getattr(value, "imag", 0):
        raise Unreadable("complex values")
    return getattr(value, "real", value)


def _relation(operands: list[Node], relations: list[str], text: str) -> Answer:
    """An inequality that is no interval: its sides by their keys, turned so that they rise."""
    if relations[0] in (">", ">="):
        operands, relations = operands[::-1], [{">": "<", ">=": "<="}.get(r, r) for r in relations[::-1]]
    if len(operands) == 2:
        difference = ("sub", operands[0], operands[1])
        values: list[Any] = [_real(sample(difference, point)) for point in (1, 2, 3)]
        scale = abs(values[0])
        if scale < 1e-20:
            raise Unreadable("relation without content")
        if relations == ["!="]:
            scale = values[0]
        return Answer(text, "relation", f"{relations[0]}:" + ",".join(as_key(value / scale) for value in values))
    parts = [canonical(operand, text).key for operand in operands]
    return Answer(
        text, "relation", " ".join(x for pair in zip(parts, [*relations, ""], strict=True) for x in pair).strip()
    )
