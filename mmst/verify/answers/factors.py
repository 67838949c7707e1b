"""The lower half of the grammar: powers, postfixes, functions, brackets, commands, matrices."""

from __future__ import annotations

import re
from fractions import Fraction

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.leaves import constructed, number, repeat, repeating
from mmst.verify.answers.policy import MAX_NESTING
from mmst.verify.answers.tokens import (
    CLOSING,
    CONSTANTS,
    CONSTRUCTORS,
    FUNCTIONS,
    GREEK,
    LATEX_PRIMARIES,
    OPENING,
    SEPARATORS,
    SETS,
    Cursor,
    Node,
    Token,
)

_BASES = {"two": "2", "three": "3", "five": "5", "six": "6", "seven": "7", "eight": "8", "ten": "10", "sixteen": "16"}


class Factors(Cursor):
    """Recursive descent from factors down; the upper half (grammar.py) gives lists and sums."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.bars = 0
        self.python = "**" in text or bool(re.search(r"\*\s*I\b|\bI\s*\*|\[\[|\w\(\[", text))

    def _list(self, until: str | None) -> Node:
        raise NotImplementedError

    def _ratio(self) -> Node:
        raise NotImplementedError

    def _sum(self) -> Node:
        raise NotImplementedError

    def _signed(self) -> Node:
        raise NotImplementedError

    def _unary(self) -> Node:
        if self._accept("-"):
            return ("neg", self._unary())
        return self._unary() if self._accept("+") else self._power()

    def _starts_factor(self) -> bool:
        value, kind = self._peek(), self._kind()
        if kind == "num":
            return True
        if kind == "name":
            return value not in SEPARATORS and not (value == "U" and self._after_closing())
        if kind == "cmd":
            return value in GREEK or value in OPENING or value[1:] in FUNCTIONS or value in LATEX_PRIMARIES
        if kind == "op":
            return value in ("(", "[", "{") or (value == "|" and not self.bars)
        return kind == "begin"

    def _adjacent(self, left: Node) -> Node:
        if self._kind() == "num":
            if left[0] != "num" or not self._mixed_number():
                raise Unreadable("two numbers side by side")
            return ("add", left, ("div", self._power(), self._after_slash()))
        mixed = left[0] == "num" and left[1].denominator == 1 and self._peek() == r"\frac" and left[2] <= 0
        right = self._power()
        if mixed and right[0] == "div" and all(part[0] == "num" and part[1].denominator == 1 for part in right[1:]):
            return ("add", left, right)
        return ("mul", left, right)

    def _mixed_number(self) -> bool:
        """Whether `1/2` follows, as in `3 1/2`."""
        ahead = self.tokens[self.position : self.position + 3]
        return (
            len(ahead) == 3
            and ahead[0].spaced
            and ahead[1].value == "/"
            and ahead[2].kind == "num"
            and ahead[0].value.isdigit()
            and ahead[2].value.isdigit()
        )

    def _after_slash(self) -> Node:
        self._next()
        return self._power()

    # powers and postfixes

    def _power(self) -> Node:
        base = self._postfix(self._primary())
        while self._accept("^", "**"):
            if self._peek() in (r"\circ", "circ"):
                self.position += 1
                base = ("degrees", base)
            elif self._peek() in (r"\prime", "'", r"\star", "*"):
                self.position += 1
                base = ("sym", f"{base[1]}'") if base[0] == "sym" else base
            elif self._degree_group():
                base = ("degrees", base)
            else:
                base = ("pow", base, self._exponent())
            base = self._postfix(base)
        return base

    def _degree_group(self) -> bool:
        ahead = [token.value for token in self.tokens[self.position : self.position + 3]]
        if ahead == ["{", r"\circ", "}"]:
            self.position += 3
            return True
        return False

    def _exponent(self) -> Node:
        if self._accept("-"):
            return ("neg", self._exponent())
        if self._peek() == "{":
            return self._argument()
        node = self._postfix(self._primary())
        return ("pow", node, self._exponent()) if self._accept("^", "**") else node

    def _postfix(self, node: Node) -> Node:
        while True:
            if self._peek() == "!" and self._kind() == "op":
                self.position += 1
                node = ("fact", node)
            elif self._accept("%"):
                node = ("percent", node)
            elif self._accept("'", r"\prime"):
                node = ("sym", f"{node[1]}'") if node[0] == "sym" else node
            elif self._accept(r"\circ", r"\degree"):
                node = ("degrees", node)
            elif self._peek() == "_" and node[0] in ("sym", "num", "text"):
                self.position += 1
                node = self._subscript(node)
            elif node[0] == "num" and self._accept("...", r"\ldots", r"\dots", r"\cdots"):
                node = repeating(node, self.tokens[self.position - 2].value)
            else:
                return node

    def _subscript(self, node: Node) -> Node:
        label = self._raw_argument()
        label = _BASES.get(label, label)
        if node[0] != "num":
            return ("sym", f"{node[1]}_{label}")
        if not label.isdigit() or node[1].denominator != 1:
            raise Unreadable("subscript of a number")
        return ("based", str(node[1].numerator), int(label))

    def _raw_argument(self) -> str:
        """The characters of a group, or of one token."""
        if not self._accept("{"):
            return self._next().value
        characters, depth = "", 1
        while depth:
            value = self._next().value
            depth += (value == "{") - (value == "}")
            characters += value
        return characters[:-1]

    # primaries

    def _argument(self) -> Node:
        """What a command takes: a group in braces, one digit, or one primary."""
        if self._accept("{"):
            node = self._list(until="}")
            if not self._accept("}"):
                raise Unreadable("brace not closed")
            return node
        token = self._next()
        if token.kind == "num" and len(token.value) > 1 and token.value.isdigit():
            self.position -= 1
            self.tokens[self.position] = Token("num", token.value[1:], False)
            return number(token.value[0])
        self.position -= 1
        return self._signed() if token.value in "+-" else self._primary()

    def _primary(self) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply")
        token = self._next()
        node = self._primary_of(token)
        self.depth -= 1
        return node

    def _primary_of(self, token: Token) -> Node:
        if token.kind == "num":
            return self._repeated(token.value)
        if token.kind == "name":
            return self._name(token.value)
        if token.kind == "text":
            return self._text(token.value)
        if token.kind == "begin":
            return self._environment(token.value)
        if token.value in OPENING:
            return self._bracket(token.value)
        if token.value in ("|", r"\|", r"\lvert", r"\lVert", r"\vert"):
            return self._bars()
        if token.kind == "cmd":
            return self._command(token.value)
        raise Unreadable(f"cannot read {token.value!r}")

    def _repeated(self, digits: str) -> Node:
        if (self._peek() in (r"\overline", r"\dot") and "." in digits) or (
            self._peek() == r"\overline" and digits.isdigit()
        ):
            self.position += 1
            return repeat(digits, self._raw_argument())
        return number(digits)

    def _text(self, words: str) -> Node:
        words = words.strip()
        if words in ("e", "i", "pi"):
            return ("const", words)
        return ("sym", words) if len(words) == 1 else ("text", words)

    def _bars(self) -> Node:
        self.bars += 1
        inner = self._sum()
        self.bars -= 1
        if not self._accept("|", r"\|", r"\rvert", r"\rVert", r"\vert"):
            raise Unreadable("bar not closed")
        return ("call", "abs", [inner])

    def _bracket(self, opening: str) -> Node:
        if self._peek() in CLOSING:
            return ("seq", opening, CLOSING[self._next().value], [])
        bars, self.bars = self.bars, 0
        inner = self._list(until=OPENING[opening])
        self.bars = bars
        closing = CLOSING.get(self._peek(), "")
        if not closing or self._kind() == "text":
            raise Unreadable("bracket not closed")
        self.position += 1
        members = inner[1] if inner[0] == "list" else [inner]
        if (
            len(members) == 1
            and opening in ("(", "{")
            and inner[0] != "seq"
            and not (opening == "{" and inner[0] == "ratio" and inner[1][0][0] == "sym")
            and self.tokens[self.position - 2].value != ","
        ):
            return inner
        return ("seq", {r"\lbrace": r"\{", r"\lbrack": "["}.get(opening, opening), closing, members)

    def _name(self, name: str) -> Node:
        if name in CONSTRUCTORS or name in SETS:
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
        form = ""
        if self._accept("."):
            form = self._next().value
        if not self._accept("("):
            raise Unreadable(f"{name} without arguments")
        quoted = self._accept("'")
        members: list[Node] = []
        if self._peek() != ")":
            inner = self._list(until=")")
            members = inner[1] if inner[0] == "list" else [inner]
        if (quoted and not self._accept("'")) or not self._accept(")"):
            raise Unreadable(f"{name} not closed")
        return constructed(name, form, members)

    def _function(self, name: str) -> Node:
        base = None
        if name in ("log",) and self._accept("_"):
            base = self._argument()
        power = self._exponent() if self._accept("^") else None
        if name == "sqrt" and self._accept("["):
            base = self._sum()
            if not self._accept("]"):
                raise Unreadable("bracket not closed")
        if name == "sqrt" and self._kind() in ("num", "name") and self._peek() not in FUNCTIONS:
            arguments = [self._primary()]
        elif self._peek() in ("(", "{"):
            inner = self._primary()
            arguments = inner[3] if inner[0] == "seq" else [inner]
            if not arguments:
                raise Unreadable(f"{name} without arguments")
        else:
            arguments = [self._bare_argument()]
        if base is not None:
            arguments.append(base)
        call: Node = ("call", name, arguments)
        if power is None:
            return call
        if power[0] == "neg" and power[1][:2] == ("num", Fraction(1)):  # \sin^{-1}
            return ("call", f"arc{name}", arguments)
        return ("pow", call, power)

    def _bare_argument(self) -> Node:
        node = self._unary()
        while self._starts_factor() and self._peek().lstrip("\\") not in FUNCTIONS and self._peek() not in ("(", "["):
            node = self._adjacent(node)
        if self._peek() == "/" and node[0] in ("const", "sym", "num", "mul"):
            self.position += 1
            node = ("div", node, self._power())
        return node

    def _command(self, command: str) -> Node:
        name = command[1:]
        if name == "frac":
            top, bottom = self._argument(), self._argument()
            if top == ("sym", "d") and bottom[:2] == ("mul", ("sym", "d")):
                raise Unreadable("a derivative")
            return ("div", top, bottom)
        if name in ("binom", "dbinom", "tbinom"):
            return ("call", "binomial", [self._argument(), self._argument()])
        if name in FUNCTIONS or name in ("arcsec", "arccot", "arccsc"):
            return self._function(name)
        if name in ("pi", "infty"):
            return ("const", "pi" if name == "pi" else "inf")
        if command in GREEK:
            return ("sym", command)
        if name in ("mathbb", "Bbb"):
            return ("sym", f"\\mathbb{{{self._next_letter()}}}")
        if name in ("emptyset", "varnothing"):
            return ("seq", r"\{", r"\}", [])
        if name in ("overline", "overrightarrow", "widehat", "triangle", "angle"):
            return ("sym", name + str(self._argument()))
        if name in ("lfloor", "lceil"):
            inner = self._sum()
            if not self._accept(r"\rfloor", r"\rceil"):
                raise Unreadable("bracket not closed")
            return ("call", "floor" if name == "lfloor" else "ceil", [inner])
        raise Unreadable(f"cannot read {command}")

    def _next_letter(self) -> str:
        braced = self._accept("{")
        letter = self._next().value
        if braced and not self._accept("}"):
            raise Unreadable("brace not closed")
        return letter

    def _environment(self, name: str) -> Node:
        if name.rstrip("*") not in ("pmatrix", "bmatrix", "matrix", "vmatrix", "Bmatrix", "smallmatrix", "array"):
            raise Unreadable(f"environment {name}")
        if name == "array" and self._accept("{"):
            while not self._accept("}"):
                self._next()
        rows: list[list[Node]] = [[]]
        while self._kind() != "end":
            if self._accept("\\\\", r"\cr"):
                rows.append([])
            elif not self._accept("&"):
                rows[-1].append(self._ratio())
        self.position += 1
        rows = [row for row in rows if row]
        if name == "vmatrix" or not rows or len({len(row) for row in rows}) > 1:
            raise Unreadable("not a matrix")
        return ("matrix", rows)
