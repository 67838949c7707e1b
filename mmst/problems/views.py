"""Exact views from an equation: its bare calculations, program, equation system and prefix tree.

An equation is an infix expression (`( 8 - 3 ) * 2`, `x = 3 + 4`, `8+2=10`) or a chain of calculations in which
later ones use earlier results (`48/2=24; 48+24=72`). Everything is read by the small parser below, never evaluated
by Python. In every text that is made a space precedes each number, as the synthetic problems have it, so that a
tokenizer with one token per number sees the same tokens everywhere.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from mmst.verify.answers.numerals import number_text

MAX_LENGTH = 2000
"""Longer texts are no equations of word problems, in characters."""
MAX_DEPTH = 40
"""Deepest nesting of parentheses."""
MAX_OPERATIONS = 100
"""Most operations of one equation, each use of a shared result counted."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[-+*/()%]))"
)
_PREFIX_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)%?")
_PREFIX_TOKEN = re.compile(rf"{_PREFIX_NUMBER.pattern}|[-+*/(),]|[^\s(),]+")
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")", "$": " "})
_TIMES = re.compile(r"(?<=[\d)\s])[xX](?=\s*[\d.(])")
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}
_NAMES = {"+": "total", "-": "left", "*": "product", "/": "share"}


class NotReadable(ValueError):
    """The text is no equation that could be turned into exact views."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A number, or an operation on two nodes. A node that is used twice is one result that is used twice."""

    value: Fraction
    size: int = 0
    operator: str = ""
    left: Node | None = None
    right: Node | None = None


def operate(operator: str, left: Node, right: Node) -> Node:
    """The operation on two nodes. Raises NotReadable for a division by zero and for a tree that grows too large."""
    a, b = left.value, right.value
    if operator == "/" and not b:
        raise NotReadable("division by zero")
    size = left.size + right.size + 1
    if size > MAX_OPERATIONS:
        raise NotReadable("too many operations")
    value = a + b if operator == "+" else a - b if operator == "-" else a * b if operator == "*" else a / b
    return Node(value, size, operator, left, right)


class _Reader:
    """Reads one infix expression by precedence climbing; `known` are results of earlier calculations by name, and by
    value where the chain only shows numbers."""

    def __init__(self, text: str, names: dict[str, Node], results: dict[Fraction, Node]) -> None:
        self.tokens = _tokens(text)
        self.names = names
        self.results = results
        self.at = 0

    def expression(self, least: int = 1, depth: int = 0) -> Node:
        left = self.operand(depth)
        while (operator := self.peek()) in _PRECEDENCE and _PRECEDENCE[operator] >= least:
            self.at += 1
            left = operate(operator, left, self.expression(_PRECEDENCE[operator] + 1, depth + 1))
        return left

    def operand(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise NotReadable("nested too deep")
        token = self.peek()
        self.at += 1
        if token == "(":
            node = self.expression(1, depth + 1)
            if self.peek() != ")":
                raise NotReadable("unbalanced parentheses")
            self.at += 1
        elif token == "-":
            inner = self.operand(depth + 1)
            node = operate("-", Node(Fraction(0)), inner) if inner.operator else Node(-inner.value)
        elif token[:1].isdigit() or token[:1] == ".":
            value = Fraction(token.replace(",", ""))
            node = self.results.get(value) or Node(value)
        elif token in self.names:
            node = self.names[token]
        else:
            raise NotReadable(f"unexpected `{token}`")
        if self.peek() == "%":
            self.at += 1
            node = operate("/", node, Node(Fraction(100)))
        return node

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def all(self) -> Node:
        node = self.expression()
        if self.peek():
            raise NotReadable(f"unexpected `{self.peek()}`")
        return node


def _tokens(text: str) -> list[str]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotReadable(f"unexpected `{text[at:].strip()[:1]}`")
        tokens.append(match[match.lastgroup or 0])
        at = match.end()
    return tokens


def read_equation(text: str) -> Node:
    """The tree of an equation or of the last calculation of a chain.

    Raises
    ------
    NotReadable
        The text has unknowns to solve for, something that is no arithmetic, or calculations that don't hold.
    """
    if len(text) > MAX_LENGTH:
        raise NotReadable("too long")
    names: dict[str, Node] = {}
    results: dict[Fraction, Node] = {}
    node = None
    for statement in re.split(r"[;\n]", _TIMES.sub("*", text.translate(_SIGNS))):
        if not statement.strip():
            continue
        sides = statement.split("=")
        if len(sides) > 2:
            raise NotReadable("several equal signs in one calculation")
        left = sides[0].strip()
        if len(sides) == 2 and left.isidentifier() and left not in names:
            node = names[left] = _Reader(sides[1], names, results).all()
            continue
        node = _Reader(left, names, results).all()
        if len(sides) == 2 and _Reader(sides[1], names, {}).all().value != node.value:
            raise NotReadable("a calculation that does not hold")
        if node.operator:
            results[node.value] = node
    if node is None:
        raise NotReadable("empty")
    return node


def read_prefix(text: str) -> Node:
    """The tree of operators and numbers in preorder (`* - 8 3 2`).

    Brackets and commas between them are left out, since the order says it all. Raises NotReadable for anything that
    is no tree of numbers and `+ - * /`.
    """
    if len(text) > MAX_LENGTH:
        raise NotReadable("too long")
    stack: list[Node] = []
    for token in reversed(_PREFIX_TOKEN.findall(text.translate(_SIGNS))):
        if token in "(),":
            continue
        if token in _PRECEDENCE:
            if len(stack) < 2:
                raise NotReadable("an operator lacks an operand")
            stack.append(operate(token, stack.pop(), stack.pop()))
        elif _PREFIX_NUMBER.fullmatch(token):
            value = Fraction(token.replace(",", "").removesuffix("%"))
            stack.append(Node(value / 100 if token.endswith("%") else value))
        else:
            raise NotReadable(f"unexpected `{token}`")
    if len(stack) != 1:
        raise NotReadable("not one tree")
    return stack[0]


def _infix(node: Node, outermost: bool = True) -> str:
    if node.left is None or node.right is None:
        return number_text(node.value)
    inner = f"{_infix(node.left, False)} {node.operator} {_infix(node.right, False)}"
    return inner if outermost else f"( {inner} )"


def prefix_of(node: Node) -> str:
    """The tree in preorder, its numbers in their shortest form."""
    if node.left is None or node.right is None:
        return number_text(node.value)
    return f"{node.operator} {prefix_of(node.left)} {prefix_of(node.right)}"


def _assignments(node: Node) -> tuple[list[str], str]:
    """One assignment per operation, in the order of the calculation, and the name of the last one."""
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
    """Each operation with its result (`3 + 4 = 7`), in the order of the calculation.

    Raises NotReadable for a result without a finite decimal form.
    """
    if node.left is None or node.right is None:
        return []
    before = [*calculations_of(node.left), *calculations_of(node.right)]
    if pow(10, node.value.denominator.bit_length(), node.value.denominator):
        raise NotReadable(f"{node.value} has no finite decimal form")
    terms = f"{number_text(node.left.value)} {node.operator} {number_text(node.right.value)}"
    return [*before, f"{terms} = {number_text(node.value)}"]


def views_of(node: Node) -> dict[str, str]:
    """The views `cot`, `program`, `system` and `prefix` of an equation that was read.

    The rationale is the bare calculations; there is none where a result has no finite decimal form.
    """
    lines, last = _assignments(node)
    views = {
        "program": "\n".join([*lines, f"print({last})"]),
        "system": "\n".join([*lines, f"ans = {last}"]),
        "prefix": prefix_of(node),
    }
    with contextlib.suppress(NotReadable):
        calculations = dict.fromkeys(calculations_of(node))
        views["cot"] = "\n".join([*calculations, f"The answer is {number_text(node.value)}."])
    return views


def views_from_equation(equation: str) -> dict[str, str]:
    """The views `cot`, `program`, `system` and `prefix` of an equation; none where it can't be read exactly.

    >>> views_from_equation("( 8 - 3 ) * 2")["program"]
    'left = 8 - 3\\nproduct = left * 2\\nprint(product)'
    """
    try:
        return views_of(read_equation(equation))
    except NotReadable:
        return {}


def expression_from_prefix(prefix: str) -> str:
    """The infix expression of a prefix tree, every inner operation in parentheses.

    Raises NotReadable (a ValueError) for anything that is no tree of numbers and `+ - * /`.

    >>> expression_from_prefix("* - 8 3 2")
    '( 8 - 3 ) * 2'
    """
    return _infix(read_prefix(prefix))
