"""Arithmetic over named quantities: tokens, a grammar, and the syntax tree.

Hand-written, because a model's text must not reach a parser that evaluates, as SymPy's does. Every word that is not a
function is a name, also `E`, `I`, `S` and `gamma`, which SymPy would take for its own.
"""

# ruff: noqa: SIM905 (word lists are easier to read as one string)
from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

MAX_TOKENS = 400
"""Tokens of one equation; also bounds the depth of its tree."""
MAX_DEPTH = 40
"""Deepest nesting of brackets."""
MAX_DIGITS = 300
"""Digits of one number."""

FUNCTIONS = {name: name for name in "abs round floor ceil min max sum mean mod sqrt exp log sin cos tan".split()} | {
    "ceiling": "ceil",
    "int": "floor",
    "ln": "log",
    "roundup": "ceil",
    "rounddown": "floor",
}
RELATIONS = {"=": "=", "==": "=", ":=": "=", "<=": "<=", "=<": "<=", ">=": ">=", "=>": ">=", "<": "<", ">": ">"}
DROPPED = ("~", "~=", "!=", "<>")
"""Relations that say nothing exact."""

_OPERATOR_WORDS = {"times": "*", "plus": "+", "minus": "-", "over": "/"}
_PRODUCTS = {"*": "*", "/": "/", "//": "//", ":": "/", "mod": "mod", "of": "*"}
SCALES = {"dozen": Fraction(12), "hundred": Fraction(100), "thousand": Fraction(1000),
           "million": Fraction(10**6), "billion": Fraction(10**9)}  # fmt: skip
_NOT_UNITS = frozenset(
    "more less than fewer greater half twice double triple as if else for while end or not of by from to "
    "squared cubed".split()
)
_MOST_UNIT_WORDS = 4
_TOKEN = re.compile(
    r"(?P<ordinal>\d+(?:st|nd|rd|th)?_\w*[^\W\d_]\w*)|(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+(?!\w))?|\.\d+)"
    r"|(?P<word>[^\W\d](?:\w|[&'](?=\w)|\.(?=[^\W\d]))*|\?+)"
    r"|(?P<relation>[=<>!:~]=|=[<>]|<>|[=<>~])|(?P<sign>\*\*|//|[-+*/^%()\[\]{},;:|])"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:[,_]\d{3})+(?![\w,])(?:\.\d+)?")
_MODULE = re.compile(r"^(?:np|math|Math|numpy|sympy)\.")
_OPENING = {"(": ")", "[": "]", "{": "}"}


class Unreadable(ValueError):
    """The text is not a readable system of equations."""


class Token(NamedTuple):
    """`kind` is number, word, relation or sign; `spaced` tells whether white space precedes it."""

    kind: str
    text: str
    spaced: bool


class Node(NamedTuple):
    """`op` is number (its part is a Fraction), name (a string), list, an operator of `+ - * / ^ % mod` or a function.

    `%` has one part and means a hundredth of it.
    """

    op: str
    parts: tuple[Any, ...]


def number(value: Fraction | int) -> Node:
    """A number as a tree."""
    return Node("number", (Fraction(value),))


def names_in(node: Node) -> Iterator[str]:
    """The names in a tree, in the order of the text."""
    if node.op == "name":
        yield node.parts[0]
    elif node.op != "number":
        for part in node.parts:
            yield from names_in(part)


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text. Raises Unreadable for a character that does not occur in equations."""
    tokens: list[Token] = []
    calls: list[bool] = []
    at, end = 0, len(text)
    while at < end:
        start = at
        while at < end and text[at].isspace():
            at += 1
        if at == end:
            break
        grouped = None if any(calls) else _THOUSANDS.match(text, at)  # `max(100,200)` has two arguments
        match = grouped or _TOKEN.match(text, at)
        if match is None:
            raise Unreadable(f"unexpected {text[at]!r}")
        kind = "number" if grouped else "word" if match.lastgroup == "ordinal" else str(match.lastgroup)
        found = re.sub(r"[,_]", "", match[0]) if kind == "number" else _MODULE.sub("", match[0])
        if found in _OPENING:
            calls.append(bool(tokens) and tokens[-1].kind == "word" and tokens[-1].text.lower() in FUNCTIONS)
        elif found in (")", "]", "}") and calls:
            calls.pop()
        tokens.append(Token(kind, found.rstrip("."), at > start))
        at = match.end()
    return tokens


@dataclass
class Reader:
    """Parses one expression by precedence climbing.

    `names` are the names of the whole system. A word after a number is a factor if it is one of them or a single
    letter; otherwise it is a unit, which is ignored.
    """

    tokens: Sequence[Token]
    names: Collection[str]
    at: int = 0
    depth: int = 0

    def all(self) -> Node:
        """The tree of all the tokens. Raises Unreadable."""
        if len(self.tokens) > MAX_TOKENS:
            raise Unreadable("too long")
        node = self.sum()
        if self.at < len(self.tokens):
            raise Unreadable(f"unexpected `{self.peek()}`")
        return node

    def peek(self, ahead: int = 0) -> str:
        """The text of the token `ahead` of the current one; empty after the last."""
        return self.tokens[self.at + ahead].text if self.at + ahead < len(self.tokens) else ""

    def kind(self, ahead: int = 0) -> str:
        """The kind of that token; empty after the last."""
        return self.tokens[self.at + ahead].kind if self.at + ahead < len(self.tokens) else ""

    def operator(self, ahead: int = 0) -> str:
        """The text of that token, or the operator that the word stands for."""
        word = self.peek(ahead)
        return word if word in self.names else _OPERATOR_WORDS.get(word, word)

    def accept(self, *texts: str) -> bool:
        if self.peek() in texts:
            self.at += 1
            return True
        return False

    def sum(self) -> Node:
        left = self.product()
        while True:
            operator = self.operator()
            if operator not in ("+", "-"):
                return left
            self.at += 1
            left = Node(operator, (left, self.product()))

    def product(self) -> Node:
        left = self.signed()
        while self.peek():
            operator = self.operator()
            if operator in _PRODUCTS or (operator in ("x", "X") and self._between_numbers()):
                self.at += 1
                left = _operation(_PRODUCTS.get(operator, "*"), left, self.signed())
            elif operator == "%":  # a percent sign has been read with its number
                self.at += 1
                left = Node("mod", (left, self.signed()))
            elif operator == "divided" and self.peek(1) == "by":
                self.at += 2
                left = Node("/", (left, self.signed()))
            elif self._starts_factor():
                left = Node("*", (left, self.power()))
            else:
                return left
        return left

    def _between_numbers(self) -> bool:
        before = self.at > 0 and (self.tokens[self.at - 1].kind == "number" or self.tokens[self.at - 1].text in ")%")
        return before and (self.kind(1) == "number" or self.peek(1) == "(") and "x" not in self.names

    def _starts_factor(self) -> bool:
        """Whether a factor follows without a sign: `3x`, `2(a + b)`, `(a)(b)`."""
        before, here = self.tokens[self.at - 1], self.tokens[self.at]
        if here.text in ("(", "["):
            if before.kind == "word" and len(before.text) > 1 and not here.spaced:
                raise Unreadable(f"unknown function `{before.text}`")
            return True
        return here.kind == "word" and before.kind != "word"

    def signed(self) -> Node:
        if self.accept("-"):
            return self._nested(lambda: Node("-", (number(0), self.signed())))
        return self._nested(self.signed) if self.accept("+") else self.power()

    def _nested(self, read: Any) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deep")
        node: Node = read()
        self.depth -= 1
        return node

    def power(self) -> Node:
        base = self.operand()
        if self.accept("^", "**"):
            return self._nested(lambda: Node("^", (base, self.signed())))
        return base

    def operand(self) -> Node:
        kind, text = self.kind(), self.peek()
        self.at += 1
        if kind == "number":
            return self._with_units(number(_value(text)))
        if text in _OPENING:
            inner = self._nested(lambda: self._items(_OPENING[text]))
            return self._with_units(inner.parts[0] if len(inner.parts) == 1 else inner)
        if text == "|":
            inner = self._nested(self.sum)
            if not self.accept("|"):
                raise Unreadable("unbalanced `|`")
            return Node("abs", (inner,))
        if kind != "word":
            raise Unreadable(f"unexpected `{text or 'end'}`")
        if self.peek() == "(" and text.lower() in FUNCTIONS and not self.tokens[self.at].spaced:
            self.at += 1
            inner = self._nested(lambda: self._items(")"))
            return self._with_units(_call(FUNCTIONS[text.lower()], inner.parts))
        self.at -= 1
        return self._percent(Node("name", (self._name(),)))

    def _items(self, closing: str) -> Node:
        items = [self.sum()]
        while self.accept(","):
            items.append(self.sum())
        if not self.accept(closing):
            raise Unreadable("unbalanced brackets")
        return Node("list", tuple(items))

    def _name(self) -> str:
        """A name of one or more words: the longest that the system uses, else all the words."""
        words: list[str] = []
        while self.kind(len(words)) == "word" and self.operator(len(words)) not in "+-*/":
            words.append(self.peek(len(words)))
        if "divided" in words:
            del words[words.index("divided") :]
        for count in range(len(words), 0, -1):
            if (name := "_".join(words[:count])) in self.names and _is_unit(words[count:], self.names):
                self.at += len(words)
                return name
        if not words:
            raise Unreadable(f"unexpected `{self.peek()}`")
        self.at += len(words)
        return "_".join(words)

    def _percent(self, node: Node) -> Node:
        """Read a percent sign, unless it is the remainder `a % b`."""
        if self.peek() != "%" or self.kind(1) == "number" or self.peek(1) == "(":
            return node
        if self.kind(1) == "word" and self.peek(1) != "of" and self.tokens[self.at].spaced:
            return node
        self.at += 1
        return Node("%", (node,))

    def _with_units(self, node: Node) -> Node:
        node = self._percent(node)
        if self.peek() == "percent" and "percent" not in self.names:
            self.at += 1
            node = Node("%", (node,))
        while (scale := SCALES.get(self.peek())) and self.peek() not in self.names:
            self.at += 1
            node = Node("*", (node, number(scale)))
        words: list[str] = []
        while self.kind(len(words)) == "word":
            words.append(self.peek(len(words)))
        ends = (*"+-*/", "of", "divided")
        words = words[: next((i for i in range(len(words)) if self.operator(i) in ends), None)]
        if words and not self._is_factor(words[0]):
            if not _is_unit(words, self.names):
                raise Unreadable(f"unexpected `{words[0]}`")
            self.at += len(words)
            if self.peek() == "/" and self.kind(1) == "word" and self.peek(1) not in self.names:  # 60 miles / hour
                self.at += 2
        return node

    def _is_factor(self, word: str) -> bool:
        return word in self.names or len(word) == 1 or word.lower() in FUNCTIONS


def _is_unit(words: Sequence[str], names: Collection[str]) -> bool:
    return len(words) <= _MOST_UNIT_WORDS and not any(word in names or word.lower() in _NOT_UNITS for word in words)


def _value(digits: str) -> Fraction:
    mantissa, _, exponent = digits.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or len(exponent) > 4 or abs(int(exponent or 0)) > MAX_DIGITS:
        raise Unreadable("a number is too long")
    return Fraction(digits)


def _operation(operator: str, left: Node, right: Node) -> Node:
    return Node("floor", (Node("/", (left, right)),)) if operator == "//" else Node(operator, (left, right))


def _call(function: str, arguments: tuple[Node, ...]) -> Node:
    if len(arguments) == 1 and arguments[0].op == "list":
        arguments = arguments[0].parts
    several = range(1, 100)
    wanted = {"mod": (2,), "round": (1, 2), "min": several, "max": several, "sum": several, "mean": several}
    if len(arguments) not in wanted.get(function, (1,)):
        raise Unreadable(f"`{function}` of {len(arguments)} numbers")
    return Node(function, arguments)
