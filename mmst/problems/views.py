"""Exact views derived from an equation: its bare calculations, a program, an equation system and a prefix tree.

An equation is an infix expression (`( 8 - 3 ) * 2`, `x = 3 + 4`, `8+2=10`) or a chain of calculations in which later
ones use earlier results (`48/2=24; 48+24=72`). The derived texts have a space before each number, like the synthetic
problems, so that a tokenizer with one token per number sees the same tokens everywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from mmst.verify.answers.numerals import number_text
from mmst.verify.equations import expression
from mmst.verify.equations.expression import Reader, Unreadable, tokens_of

MAX_LENGTH = 2000
"""Characters of the longest equation that is read."""
MAX_OPERATIONS = 100
"""Operations in the largest tree; a shared result counts every time it is used."""

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)"
_PREFIX_NUMBER = re.compile(rf"-?{_NUMBER}%?")
_PREFIX_TOKEN = re.compile(rf"-?{_NUMBER}%?|[-+*/(),]|[^\s(),]+")
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")", "$": " "})
_TIMES = re.compile(r"(?<=[\d)\s])[xX](?=\s*[\d.(])")
_NAMES = {"+": "total", "-": "left", "*": "product", "/": "share"}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A number, or an operation on two nodes. A node that occurs twice in a tree is one result used twice."""

    value: Fraction
    size: int = 0
    operator: str = ""
    left: Node | None = None
    right: Node | None = None


def _operate(operator: str, left: Node, right: Node) -> Node:
    """Combine two nodes. Raises Unreadable for a division by zero and a tree that is too large."""
    a, b = left.value, right.value
    if operator == "/" and not b:
        raise Unreadable("division by zero")
    size = left.size + right.size + 1
    if size > MAX_OPERATIONS:
        raise Unreadable("too many operations")
    value = a + b if operator == "+" else a - b if operator == "-" else a * b if operator == "*" else a / b
    return Node(value, size, operator, left, right)


def _tree(text: str, names: dict[str, Node], results: dict[Fraction, Node]) -> Node:
    """The tree of one infix expression of numbers, `names`, and numbers that are earlier `results`."""
    tokens = tokens_of(text)
    for token in tokens:
        if token.kind == "word" and token.text not in names:
            raise Unreadable(f"unexpected `{token.text}`")

    def convert(node: expression.Node) -> Node:
        if node.op == "number":
            return results.get(node.parts[0]) or Node(node.parts[0])
        if node.op == "name" and node.parts[0] in names:
            return names[node.parts[0]]
        if node.op == "%":
            return _operate("/", convert(node.parts[0]), Node(Fraction(100)))
        if node.op not in _NAMES:
            raise Unreadable(f"no operation of `+ - * /`: {node.op}")
        left, right = node.parts
        if node.op == "-" and left == expression.number(0):  # a sign
            negated = convert(right)
            return _operate("-", Node(Fraction(0)), negated) if negated.operator else Node(-negated.value)
        return _operate(node.op, convert(left), convert(right))

    return convert(Reader(tokens, names).all())


def read_equation(text: str) -> Node:
    """The tree of an equation, or of the last calculation of a chain.

    Raises Unreadable for unknowns, for anything but arithmetic, and for calculations that are wrong.
    """
    if len(text) > MAX_LENGTH:
        raise Unreadable("too long")
    names: dict[str, Node] = {}
    results: dict[Fraction, Node] = {}
    node = None
    for statement in re.split(r"[;\n]", _TIMES.sub("*", text.translate(_SIGNS))):
        if not statement.strip():
            continue
        sides = statement.split("=")
        if len(sides) > 2:
            raise Unreadable("several equal signs in one calculation")
        left = sides[0].strip()
        if len(sides) == 2 and left.isidentifier() and left not in names:
            node = names[left] = _tree(sides[1], names, results)
            continue
        node = _tree(left, names, results)
        if len(sides) == 2 and _tree(sides[1], names, {}).value != node.value:
            raise Unreadable("a wrong calculation")
        if node.operator:
            results[node.value] = node
    if node is None:
        raise Unreadable("empty")
    return node


def read_prefix(text: str) -> Node:
    """The tree of operators and numbers in preorder (`* - 8 3 2`); brackets and commas are ignored.

    Raises Unreadable for anything but a tree of numbers and `+ - * /`.
    """
    if len(text) > MAX_LENGTH:
        raise Unreadable("too long")
    stack: list[Node] = []
    for token in reversed(_PREFIX_TOKEN.findall(text.translate(_SIGNS))):
        if token in "(),":
            continue
        if token in _NAMES:
            if len(stack) < 2:
                raise Unreadable("an operator lacks an operand")
            stack.append(_operate(token, stack.pop(), stack.pop()))
        elif _PREFIX_NUMBER.fullmatch(token):
            value = Fraction(token.replace(",", "").removesuffix("%"))
            stack.append(Node(value / 100 if token.endswith("%") else value))
        else:
            raise Unreadable(f"unexpected `{token}`")
    if len(stack) != 1:
        raise Unreadable("not one tree")
    return stack[0]


def expression_from_prefix(prefix: str) -> str:
    """The infix expression of a prefix tree, with every inner operation in parentheses.

    Raises Unreadable (a ValueError) for anything but a tree of numbers and `+ - * /`.

    >>> expression_from_prefix("* - 8 3 2")
    '( 8 - 3 ) * 2'
    """
    return _written(read_prefix(prefix), "( {a} {op} {b} )").removeprefix("( ").removesuffix(" )")


def prefix_of(node: Node) -> str:
    """The tree in preorder, its numbers in their shortest form."""
    return _written(node, "{op} {a} {b}")


def _written(node: Node, layout: str) -> str:
    if node.left is None or node.right is None:
        return number_text(node.value)
    return layout.format(op=node.operator, a=_written(node.left, layout), b=_written(node.right, layout))


def _assignments(node: Node) -> tuple[list[str], str]:
    """One assignment per operation, in order of calculation, and the name of the last one."""
    if not node.operator:
        return [f"answer = {number_text(node.value)}"], "answer"
    lines: list[str] = []
    names: dict[int, str] = {}
    used: Counter[str] = Counter()

    def visit(node: Node) -> str:
        if node.left is None or node.right is None:
            return number_text(node.value)
        if id(node) not in names:
            left, right = visit(node.left), visit(node.right)
            name = _NAMES[node.operator]
            used[name] += 1
            names[id(node)] = name if used[name] == 1 else f"{name}_{used[name]}"
            lines.append(f"{names[id(node)]} = {left} {node.operator} {right}")
        return names[id(node)]

    return lines, visit(node)


def calculations_of(node: Node) -> list[str]:
    """Each operation with its result (`3 + 4 = 7`), in order of calculation.

    Raises Unreadable for a result without a finite decimal form.
    """
    if node.left is None or node.right is None:
        return []
    before = [*calculations_of(node.left), *calculations_of(node.right)]
    if pow(10, node.value.denominator.bit_length(), node.value.denominator):
        raise Unreadable(f"{node.value} has no finite decimal form")
    terms = f"{number_text(node.left.value)} {node.operator} {number_text(node.right.value)}"
    return [*before, f"{terms} = {number_text(node.value)}"]


def views_of(node: Node) -> dict[str, str]:
    """The views `program`, `system` and `prefix` of a tree, and `cot` if every result has a finite decimal form."""
    lines, last = _assignments(node)
    views = {
        "program": "\n".join([*lines, f"print({last})"]),
        "system": "\n".join([*lines, f"ans = {last}"]),
        "prefix": prefix_of(node),
    }
    try:
        calculations = dict.fromkeys(calculations_of(node))
    except Unreadable:
        return views
    return {**views, "cot": "\n".join([*calculations, f"The answer is {number_text(node.value)}."])}


def views_from_equation(equation: str) -> dict[str, str]:
    """The views of an equation (see `views_of`); empty if the equation cannot be read exactly.

    >>> views_from_equation("( 8 - 3 ) * 2")["program"]
    'left = 8 - 3\\nproduct = left * 2\\nprint(product)'
    """
    try:
        return views_of(read_equation(equation))
    except Unreadable:
        return {}
