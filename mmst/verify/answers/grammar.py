"""One grammar for the mathematics in answers: LaTeX, plain text, and what Python and SymPy print.

A node is a tuple whose first entry names it:
    ("num", value, places, digits)  ("sym", name)  ("const", "pi" | "e" | "i" | "inf")
    ("neg" | "add" | "sub" | "mul" | "div" | "pow" | "pm" | "mp" | "cup" | "cap" | "minus", ...)
    ("call", function, [arguments])  ("fact", a)  ("percent", a)  ("degrees", a)  ("based", digits, base)
    ("seq", opening, closing, [members])  ("matrix", [rows])  ("chain", [operands], [relations])
    ("ratio", [members])  ("text", words)  ("list", [members], [separators])
"""

from __future__ import annotations

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.factors import Factors
from mmst.verify.answers.policy import MAX_DEPTH, MAX_NESTING
from mmst.verify.answers.tokens import CONSTANTS, CONSTRUCTORS, FUNCTIONS, RELATIONS, SEPARATORS, SETS, Node

_NO_UNITS = FUNCTIONS | CONSTRUCTORS | SETS | CONSTANTS.keys() | SEPARATORS.keys()


class Parser(Factors):
    """Recursive descent over the tokens of one answer. Raises Unreadable where the grammar ends."""

    def parse(self) -> Node:
        """The whole answer: a single node, or ("list", members, separators)."""
        node = self._list(until=None)
        if self.position < len(self.tokens):
            raise Unreadable(f"cannot read {self._peek()!r}")
        return node

    def _separator(self) -> str:
        value = self._peek()
        if value.startswith("text:"):
            value = value[5:].strip(" ,;.")
            return SEPARATORS.get(value, "and" if value in ("", "und", "et") else "")
        return SEPARATORS.get(value, "")

    # lists and relations

    def _list(self, until: str | None) -> Node:
        members, separators = [self._relation()], []
        while separator := self._separator():
            while further := self._separator():  # ", and", "\quad \text{or} \quad"
                separator = further if separator in (",", "quad") else separator
                self.position += 1
            if self.position >= len(self.tokens) or self._peek() == until:
                break
            members.append(self._relation())
            separators.append(separator)
        return members[0] if len(members) == 1 else ("list", members, separators)

    def _relation(self) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply")
        operands, relations = [self._ratio()], []
        while True:
            value = self._peek()
            relation = RELATIONS.get(value)
            if relation is None or self._kind() == "text":
                break
            self.position += 1
            operands.append(self._ratio())
            relations.append(relation)
        self.depth -= 1
        return operands[0] if not relations else ("chain", operands, relations)

    def _ratio(self) -> Node:
        members = [self._sum()]
        while self._accept(":", r"\colon"):
            members.append(self._sum())
        return members[0] if len(members) == 1 else ("ratio", members)

    def _sum(self) -> Node:
        left = self._signed()
        while True:
            if self._accept("+"):
                left = ("add", left, self._product())
            elif self._accept("-"):
                left = ("sub", left, self._product())
            elif self._accept(r"\pm"):
                left = ("pm", left, self._product())
            elif self._accept(r"\mp"):
                left = ("mp", left, self._product())
            elif self._accept(r"\cup", r"\bigcup") or (
                self._peek() == "U" and self._after_closing() and self._accept("U")
            ):
                left = ("cup", left, self._product())
            elif self._accept(r"\cap"):
                left = ("cap", left, self._product())
            elif self._accept(r"\setminus", r"\backslash"):
                left = ("minus", left, self._product())
            else:
                return left

    def _signed(self) -> Node:
        if self._peek() in ("-", "+"):
            minus = 0
            while self._peek() in ("-", "+"):
                minus += self._accept("-") or not self._accept("+")
            node = self._product()
            return ("neg", node) if minus % 2 else node
        if self._accept(r"\pm"):
            return ("pm", None, self._product())
        if self._accept(r"\mp"):
            return ("mp", None, self._product())
        return self._product()

    # products

    def _product(self) -> Node:
        left = self._power()
        while True:
            if self._accept("*", r"\cdot", r"\times", r"\ast"):
                left = ("mul", left, self._unary())
            elif self._accept("/", r"\div", "div"):
                left = ("div", left, self._unary())
            elif self._drop_unit():
                continue
            elif self._starts_factor():
                left = self._adjacent(left)
            else:
                return left

    def _drop_unit(self) -> bool:
        """Pass over a unit behind an operand: `\\text{ cm}^2`, ` inches`, `km/h`."""
        kind, value = self._kind(), self._peek()
        if kind == "text":
            words = value[5:].strip()
            if words.strip(" ,;.") in SEPARATORS or not words.strip(" ,;.") or words in ("e", "i"):
                return False
        elif kind != "name" or len(value) == 1 or value in _NO_UNITS or self._calls():
            return False
        self.position += 1
        if self._accept("^", "**"):
            self._argument()
        if (
            self._peek() == "/"
            and self.position + 1 < len(self.tokens)
            and self.tokens[self.position + 1].kind in ("name", "text")
        ):
            self.position += 2
        return True


def parse(text: str) -> Node:
    """The tree of an answer in skeleton text; raises Unreadable."""
    tree = Parser(text).parse()
    _check_depth(tree)
    return tree


def _check_depth(tree: Node) -> None:
    """Refuse trees that the recursive functions over them could not go down."""
    level: list[object] = [tree]
    for _ in range(2 * MAX_DEPTH):
        level = [part for node in level if isinstance(node, tuple | list) for part in node]
        if not level:
            return
    raise Unreadable("nested too deeply")
