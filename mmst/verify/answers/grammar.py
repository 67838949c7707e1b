"""One grammar for the mathematics in answers: LaTeX, plain text, and what Python and SymPy print."""

from __future__ import annotations

import re
from fractions import Fraction

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.cursor import Cursor
from mmst.verify.answers.leaves import constructed, number, repeat, repeating
from mmst.verify.answers.policy import MAX_NESTING
from mmst.verify.answers.tokens import CLOSING, CONSTANTS, CONSTRUCTORS, FUNCTIONS, GREEK, OPENING, RELATIONS, Token
from mmst.verify.answers.tree import Node, check_depth

_SUMS = {
    "+": "add", "-": "sub", r"\pm": "pm", r"\mp": "mp", r"\cup": "cup", r"\bigcup": "cup", r"\cap": "cap",
    r"\setminus": "minus", r"\backslash": "minus",
}  # fmt: skip
_PRODUCTS = {"*": "mul", r"\cdot": "mul", r"\times": "mul", r"\ast": "mul", "/": "div", r"\div": "div", "div": "div"}
_POSTFIXES = {"!": "fact", "%": "percent", r"\circ": "degrees", r"\degree": "degrees"}
_BASES = {"two": "2", "three": "3", "five": "5", "six": "6", "seven": "7", "eight": "8", "ten": "10", "sixteen": "16"}
_OPENING_BARS = ("|", r"\|", r"\lvert", r"\lVert", r"\vert")
_CLOSING_BARS = ("|", r"\|", r"\rvert", r"\rVert", r"\vert")
_MATRICES = ("pmatrix", "bmatrix", "matrix", "Bmatrix", "smallmatrix", "array")


def parse(text: str) -> Node:
    """The tree of an answer in skeleton text (see clean.py); raises Unreadable where the grammar ends."""
    parser = _Parser(text)
    tree = parser.list(until="")
    if parser.kind():
        raise Unreadable(f"cannot read {parser.peek()!r}")
    check_depth(tree)
    return tree


def _members(node: Node) -> list[Node]:
    return node[1] if node[0] == "list" else [node]


def _primed(node: Node) -> Node:
    return ("sym", f"{node[1]}'") if node[0] == "sym" else node


class _Parser(Cursor):
    """Recursive descent, from lists down to primaries."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.bars = 0
        self.python = "**" in text or bool(re.search(r"\*\s*I\b|\bI\s*\*|\[\[|\w\(\[", text))

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply")

    def list(self, until: str) -> Node:
        """A single node, or ("list", members, separators)."""
        members, separators = [self._relation()], []
        while separator := self.separator():
            while further := self.separator():  # ", and", "\quad \text{or} \quad"
                separator = further if separator in (",", "quad") else separator
                self.position += 1
            if self.peek() in ("", until):
                break
            members.append(self._relation())
            separators.append(separator)
        return members[0] if len(members) == 1 else ("list", members, separators)

    def _relation(self) -> Node:
        self._deeper()
        operands, relations = [self._ratio()], []
        while relation := RELATIONS.get(self.peek()):
            self.position += 1
            operands.append(self._ratio())
            relations.append(relation)
        self.depth -= 1
        return ("chain", operands, relations) if relations else operands[0]

    def _ratio(self) -> Node:
        members = [self._sum()]
        while self.accept(":", r"\colon"):
            members.append(self._sum())
        return members[0] if len(members) == 1 else ("ratio", members)

    def _sum(self) -> Node:
        left = self._signed()
        while operation := "cup" if self.peek() == "U" and self.after_closing() else _SUMS.get(self.peek()):
            self.position += 1
            left = (operation, left, self._product())
        return left

    def _signed(self) -> Node:
        if self.peek() in (r"\pm", r"\mp"):
            return (_SUMS[self.next().value], None, self._product())
        minus = False
        while self.peek() in ("-", "+"):
            minus ^= self.next().value == "-"
        node = self._product()
        return ("neg", node) if minus else node

    def _product(self) -> Node:
        left = self._power()
        while True:
            if operation := _PRODUCTS.get(self.peek()):
                self.position += 1
                left = (operation, left, self._unary())
            elif self.is_unit():
                self._skip_unit()
            elif self.starts_factor(self.bars > 0):
                left = self._adjacent(left)
            else:
                return left

    def _skip_unit(self) -> None:
        """Skip a unit behind an operand: `\\text{ cm}^2`, ` inches`, `km/h`."""
        self.position += 1
        if self.accept("^", "**"):
            self._argument()
        if self.peek() == "/" and self.tokens[self.position + 1].kind in ("name", "text"):
            self.position += 2

    def _unary(self) -> Node:
        if self.accept("-"):
            return ("neg", self._unary())
        return self._unary() if self.accept("+") else self._power()

    def _adjacent(self, left: Node) -> Node:
        """A factor without an operator in front: `2x`, or the fraction of a mixed number."""
        if self.kind() == "num":
            if left[0] != "num" or not self.at_fraction():
                raise Unreadable("two numbers side by side")
            top = self._power()
            self.expect("/")
            return ("add", left, ("div", top, self._power()))
        mixed = left[0] == "num" and left[1].denominator == 1 and self.peek() == r"\frac" and left[2] <= 0
        right = self._power()
        if mixed and right[0] == "div" and all(part[0] == "num" and part[1].denominator == 1 for part in right[1:]):
            return ("add", left, right)
        return ("mul", left, right)

    def _power(self) -> Node:
        base = self._postfix(self._primary())
        while self.accept("^", "**"):
            if self.accept_degree():
                base = ("degrees", base)
            elif self.accept(r"\prime", "'", r"\star", "*"):
                base = _primed(base)
            else:
                base = ("pow", base, self._exponent())
            base = self._postfix(base)
        return base

    def _exponent(self) -> Node:
        if self.accept("-"):
            return ("neg", self._exponent())
        if self.peek() == "{":
            return self._argument()
        node = self._postfix(self._primary())
        return ("pow", node, self._exponent()) if self.accept("^", "**") else node

    def _postfix(self, node: Node) -> Node:
        while True:
            if postfix := _POSTFIXES.get(self.peek()):
                self.position += 1
                node = (postfix, node)
            elif self.accept("'", r"\prime"):
                node = _primed(node)
            elif node[0] in ("sym", "num", "text") and self.accept("_"):
                node = self._subscript(node)
            elif node[0] == "num" and self.accept("...", r"\ldots", r"\dots", r"\cdots"):
                node = repeating(self.tokens[self.position - 2].value)
            else:
                return node

    def _subscript(self, node: Node) -> Node:
        label = self.raw_argument()
        label = _BASES.get(label, label)
        if node[0] != "num":
            return ("sym", f"{node[1]}_{label}")
        if not label.isdigit() or node[1].denominator != 1:
            raise Unreadable("subscript of a number")
        return ("based", str(node[1].numerator), int(label))

    def _argument(self) -> Node:
        """The argument of a command: a group in braces, one digit, or one primary."""
        if self.accept("{"):
            node = self.list(until="}")
            self.expect("}")
            return node
        token = self.tokens[self.position]
        if token.kind == "num" and len(token.value) > 1 and token.value.isdigit():
            self.tokens[self.position] = Token("num", token.value[1:], False)
            return number(token.value[0])
        return self._signed() if token.value in ("+", "-") else self._primary()

    def _primary(self) -> Node:
        self._deeper()
        token = self.next()
        match token.kind:
            case "num":
                node = self._number(token.value)
            case "name":
                node = self._name(token.value)
            case "text":
                words = token.written.strip()
                node = ("const" if words in ("e", "i", "pi") else "sym" if len(words) == 1 else "text", words)
            case "begin":
                node = self._environment(token.value)
            case _ if token.value in OPENING:
                node = self._bracket(token.value)
            case _ if token.value in _OPENING_BARS:
                self.bars += 1
                node = ("call", "abs", [self._sum()])
                self.bars -= 1
                self.expect(*_CLOSING_BARS)
            case "cmd":
                node = self._command(token.value)
            case _:
                raise Unreadable(f"cannot read {token.value!r}")
        self.depth -= 1
        return node

    def _number(self, digits: str) -> Node:
        following = (r"\overline", r"\dot") if "." in digits else (r"\overline",) if digits.isdigit() else ()
        return repeat(digits, self.raw_argument()) if self.accept(*following) else number(digits)

    def _bracket(self, opening: str) -> Node:
        if self.peek() in CLOSING:
            return ("seq", opening, CLOSING[self.next().value], [])
        bars, self.bars = self.bars, 0
        inner = self.list(until=OPENING[opening])
        self.bars = bars
        trailing_comma = self.tokens[self.position - 1].value == ","
        closing = CLOSING.get(self.next().value)
        if closing is None:
            raise Unreadable("bracket not closed")
        dictionary = opening == "{" and inner[0] == "ratio" and inner[1][0][0] == "sym"
        if opening in ("(", "{") and inner[0] not in ("list", "seq") and not dictionary and not trailing_comma:
            return inner
        return ("seq", {r"\lbrace": r"\{", r"\lbrack": "["}.get(opening, opening), closing, _members(inner))

    def _name(self, name: str) -> Node:
        if name in CONSTRUCTORS:
            return self._constructor(name)
        if name in FUNCTIONS:
            return self._function(name)
        if name in CONSTANTS:
            return ("const", CONSTANTS[name])
        if name in ("e", "i") or (self.python and name in ("E", "I")):
            return ("const", name.lower())
        if len(name) > 1 and not name.isupper() and name not in ("True", "False"):
            raise Unreadable(f"cannot read {name}")
        return ("sym", name)

    def _constructor(self, name: str) -> Node:
        """What Python and SymPy print: Fraction(5, 2), Decimal('2.5'), Matrix([[1, 2]]), Interval.open(0, 1)."""
        form = self.next().value if self.accept(".") else ""
        self.expect("(")
        quoted = self.accept("'")
        members = [] if self.peek() == ")" else _members(self.list(until=")"))
        if quoted:
            self.expect("'")
        self.expect(")")
        return constructed(name, form, members)

    def _function(self, name: str) -> Node:
        base = self._argument() if name == "log" and self.accept("_") else None
        power = self._exponent() if self.accept("^") else None
        if name == "sqrt" and self.accept("["):
            base = self._sum()
            self.expect("]")
        if name == "sqrt" and self.kind() in ("num", "name") and self.peek() not in FUNCTIONS:
            arguments = [self._primary()]
        elif self.peek() in ("(", "{"):
            inner = self._primary()
            arguments = inner[3] if inner[0] == "seq" else [inner]
            if not arguments:
                raise Unreadable(f"{name} without arguments")
        else:
            arguments = [self._bare_argument()]
        if base is not None:
            arguments.append(base)
        if power is None:
            return ("call", name, arguments)
        if power[0] == "neg" and power[1][:2] == ("num", Fraction(1)):  # \sin^{-1}
            return ("call", f"arc{name}", arguments)
        return ("pow", ("call", name, arguments), power)

    def _bare_argument(self) -> Node:
        node = self._unary()
        while self.starts_factor(self.bars > 0):
            if self.peek() in ("(", "[") or self.peek().lstrip("\\") in FUNCTIONS:
                break
            node = self._adjacent(node)
        if node[0] in ("const", "sym", "num", "mul") and self.accept("/"):
            node = ("div", node, self._power())
        return node

    def _command(self, command: str) -> Node:
        name = command[1:]
        if command in GREEK:
            return ("sym", command)
        match name:
            case "frac":
                top, bottom = self._argument(), self._argument()
                if top == ("sym", "d") and bottom[:2] == ("mul", ("sym", "d")):
                    raise Unreadable("a derivative")
                return ("div", top, bottom)
            case "binom" | "dbinom" | "tbinom":
                return ("call", "binomial", [self._argument(), self._argument()])
            case "pi" | "infty":
                return ("const", CONSTANTS[name])
            case "mathbb" | "Bbb":
                braced = self.accept("{")
                letter = self.next().written
                if braced:
                    self.expect("}")
                return ("sym", f"\\mathbb{{{letter}}}")
            case "emptyset" | "varnothing":
                return ("seq", r"\{", r"\}", [])
            case "overline" | "overrightarrow" | "widehat" | "triangle" | "angle":
                return ("sym", name + str(self._argument()))
            case "lfloor" | "lceil":
                inner = self._sum()
                self.expect(r"\rfloor", r"\rceil")
                return ("call", "floor" if name == "lfloor" else "ceil", [inner])
        if name in FUNCTIONS or name in ("arcsec", "arccot", "arccsc"):
            return self._function(name)
        raise Unreadable(f"cannot read {command}")

    def _environment(self, name: str) -> Node:
        if name.rstrip("*") not in _MATRICES:
            raise Unreadable(f"environment {name}")
        if name == "array" and self.accept("{"):
            while not self.accept("}"):
                self.next()
        rows: list[list[Node]] = [[]]
        while self.kind() != "end":
            if self.accept("\\\\", r"\cr"):
                rows.append([])
            elif not self.accept("&"):
                rows[-1].append(self._ratio())
        self.position += 1
        rows = [row for row in rows if row]
        if not rows or len({len(row) for row in rows}) > 1:
            raise Unreadable("not a matrix")
        return ("matrix", rows)
