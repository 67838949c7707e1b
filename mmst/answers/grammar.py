"""One grammar for the mathematics in answers: LaTeX, plain text, and what Python and SymPy print.

A node is a tuple whose first entry names it:
    ("num", value, places, digits)  ("sym", name)  ("const", "pi" | "e" | "i" | "inf")
    ("neg" | "add" | "sub" | "mul" | "div" | "pow" | "pm" | "mp" | "cup" | "cap" | "minus", ...)
    ("call", function, [arguments])  ("fact", a)  ("percent", a)  ("degrees", a)  ("based", digits, base)
    ("seq", opening, closing, [members])  ("matrix", [rows])  ("chain", [operands], [relations])
    ("ratio", [members])  ("text", words)  ("list", [members], [separators])
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any, NamedTuple

from mmst.answers.answer import Unreadable
from mmst.answers.numerals import decimal_fraction, significant_digits
from mmst.answers.plain import KNOWN_UNITS
from mmst.answers.policy import MAX_NESTING

Node = tuple[Any, ...]

FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan asin acos atan sinh cosh tanh log ln lg exp sqrt cbrt abs Abs max min "
    "floor ceil ceiling factorial binomial binom gcd lcm Max Min re im conjugate".split()
)
_CONSTRUCTORS = frozenset("Fraction Rational Decimal Integer Float float int Matrix ImmutableMatrix array".split())
_SETS = frozenset("FiniteSet Interval Union set frozenset tuple list Tuple Eq".split())
_CONSTANTS = {"pi": "pi", "oo": "inf", "inf": "inf", "infinity": "inf", "Infinity": "inf", "infty": "inf"}
_RELATIONS = {
    "=": "=", "==": "=", r"\equiv": "=", r"\approx": "~", r"\simeq": "~", r"\sim": "~", "<": "<", r"\lt": "<",
    r"\gt": ">", ">": ">", "<=": "<=", r"\le": "<=", r"\leq": "<=", r"\leqslant": "<=", r"\geqslant": ">=",
    ">=": ">=", r"\ge": ">=", r"\geq": ">=", "!=": "!=", r"\ne": "!=", r"\neq": "!=", r"\in": "in",
}  # fmt: skip
_SEPARATORS = {"and": "and", "or": "or", "&": "and", r"\quad": "quad", r"\qquad": "quad", ",": ",", ";": ";"}
_SEPARATORS |= {r"\lor": "or", r"\vee": "or", r"\land": "and", r"\wedge": "and"}
_GREEK = frozenset(
    r"\alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \vartheta \iota \kappa \lambda \mu \nu \xi \rho "
    r"\sigma \tau \upsilon \phi \varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Sigma \Phi \Psi \Omega \ell "
    r"\hbar \zzz".split()
)
# Short words that are prose, not products of letters
_PROSE = frozenset(
    "is the that we of not it its so to by as at be for are was has had he she an our you can if mod div both all when "
    "who how why but due per via her his him one two six ten yes no none get got let now see out off use way day".split()
)
_OPENING = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", r"\langle": r"\rangle", r"\lbrace": r"\}", r"\lbrack": "]"}
_CLOSING = {")": ")", "]": "]", "}": "}", r"\}": r"\}", r"\rangle": r"\rangle", r"\rbrace": r"\}", r"\rbrack": "]"}
_TEXT = r"\\(?:text(?:bf|it|rm|sf|tt|normal|sc|up)?|mbox|hbox|mathrm|mathsf|mathtt|operatorname\*?|rm)\s*\{(?P<text>(?:[^{}]|\{[^{}]*\})*)\}"
_TOKEN = re.compile(
    rf"(?P<space>\s+)|{_TEXT}|(?P<begin>\\begin\s*\{{(?P<env>[a-zA-Z]+\*?)\}})|(?P<end>\\end\s*\{{[a-zA-Z]+\*?\}})"
    r"|(?P<num>(?:\d+(?:\.\d+|\.(?=\s*\\overline))?|\.\d+)(?:[eE][+-]?\d+)?)|(?P<cmd>\\(?:[a-zA-Z]+|.))|(?P<name>[A-Za-z]+)"
    r"|(?P<op>\*\*|//|<=|>=|!=|==|\.\.\.|[-+*/^_=<>(){}\[\]|,;:!%&'.])",
    re.ASCII | re.DOTALL,
)
_THOUSANDS = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:,\d{3})+(?![\d])(?:\.\d+)?", re.ASCII)


class Token(NamedTuple):
    kind: str
    value: str
    spaced: bool


def tokenize(text: str) -> list[Token]:
    """Cut skeleton text into tokens; commas group thousands only outside all brackets."""
    tokens: list[Token] = []
    position, spaced, depth = 0, False, 0
    while position < len(text):
        if not depth and text[position].isdigit() and (grouped := _THOUSANDS.match(text, position)):
            tokens.append(Token("num", grouped[0].replace(",", ""), spaced))
            position, spaced = grouped.end(), False
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            raise Unreadable(f"cannot read {text[position]!r}")
        position = match.end()
        kind = match.lastgroup or ""
        if kind == "space":
            spaced = True
            continue
        if kind == "env":
            kind = "begin"
        value = match[kind] if kind != "begin" else match["env"]
        if value in _OPENING:
            depth += 1
        elif value in _CLOSING:
            depth -= 1
        tokens.extend(_split(kind, value, spaced))
        spaced = False
    return tokens


def _split(kind: str, value: str, spaced: bool) -> list[Token]:
    """Words that are no function, constant, unit or long name are products of letters."""
    if kind != "name" or len(value) == 1 or len(value) > 3:
        return [Token(kind, value, spaced)]
    if value in FUNCTIONS or value in _CONSTRUCTORS or value in _CONSTANTS or value in _SETS or value in KNOWN_UNITS:
        return [Token(kind, value, spaced)]
    if value in _SEPARATORS:
        return [Token(kind, value, spaced)]
    if value.lower() in _PROSE:
        raise Unreadable("a sentence")
    return [Token("name", letter, spaced and not i) for i, letter in enumerate(value)]


class Parser:
    """Recursive descent over the tokens of one answer. Raises Unreadable where the grammar ends."""

    def __init__(self, text: str) -> None:
        self.tokens = tokenize(text)
        self.position = 0
        self.depth = 0
        self.bars = 0
        self.python = "**" in text or bool(re.search(r"\*\s*I\b|\bI\s*\*|\[\[|\w\(\[", text))

    def parse(self) -> Node:
        """The whole answer: a single node, or ("list", members, separators)."""
        node = self._list(until=None)
        if self.position < len(self.tokens):
            raise Unreadable(f"cannot read {self._peek()!r}")
        return node

    # tokens

    def _peek(self) -> str:
        """The value of the next token; what is quoted as text comes as `text:...`, the end as an empty string."""
        if self.position >= len(self.tokens):
            return ""
        token = self.tokens[self.position]
        return f"text:{token.value.strip().lower()}" if token.kind == "text" else token.value

    def _kind(self) -> str:
        return self.tokens[self.position].kind if self.position < len(self.tokens) else ""

    def _next(self) -> Token:
        if self.position >= len(self.tokens):
            raise Unreadable("ends too early")
        self.position += 1
        return self.tokens[self.position - 1]

    def _accept(self, *values: str) -> bool:
        if self._peek() in values and self._kind() != "text":
            self.position += 1
            return True
        return False

    def _separator(self) -> str:
        value = self._peek()
        if value.startswith("text:"):
            value = value[5:].strip(" ,;.")
            return _SEPARATORS.get(value, "and" if value in ("", "und", "et") else "")
        return _SEPARATORS.get(value, "")

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
            relation = _RELATIONS.get(value)
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

    def _after_closing(self) -> bool:
        return self.position > 0 and self.tokens[self.position - 1].value in _CLOSING

    def _signed(self) -> Node:
        if self._accept("-"):
            return ("neg", self._signed())
        if self._accept("+"):
            return self._signed()
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

    def _unary(self) -> Node:
        if self._accept("-"):
            return ("neg", self._unary())
        return self._unary() if self._accept("+") else self._power()

    def _starts_factor(self) -> bool:
        value, kind = self._peek(), self._kind()
        if kind == "num":
            return True
        if kind == "name":
            return value not in _SEPARATORS and not (value == "U" and self._after_closing())
        if kind == "cmd":
            return value in _GREEK or value in _OPENING or value[1:] in FUNCTIONS or value in _LATEX_PRIMARIES
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

    def _drop_unit(self) -> bool:
        """Pass over a unit behind an operand: `\\text{ cm}^2`, ` inches`, `km/h`."""
        kind, value = self._kind(), self._peek()
        if kind == "text":
            words = value[5:].strip()
            if words.strip(" ,;.") in _SEPARATORS or not words.strip(" ,;.") or words in ("e", "i"):
                return False
        elif not (kind == "name" and (len(value) > 3 or (len(value) > 1 and value in KNOWN_UNITS))) or (
            value in FUNCTIONS or value in _CONSTRUCTORS or value in _CONSTANTS or value in _SETS or self._calls()
        ):
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

    def _calls(self) -> bool:
        ahead = self.tokens[self.position + 1 : self.position + 2]
        return bool(ahead) and ahead[0].value == "(" and not ahead[0].spaced

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
                node = _repeating(node, self.tokens[self.position - 2].value)
            else:
                return node

    def _subscript(self, node: Node) -> Node:
        label = self._raw_argument()
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
            return _number(token.value[0])
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
        if token.value in _OPENING:
            return self._bracket(token.value)
        if token.value in ("|", r"\|", r"\lvert", r"\lVert", r"\vert"):
            return self._bars()
        if token.kind == "cmd":
            return self._command(token.value)
        raise Unreadable(f"cannot read {token.value!r}")

    def _repeated(self, digits: str) -> Node:
        if (
            self._peek() in (r"\overline", r"\dot")
            and "." in digits
            or self._peek() == r"\overline"
            and digits.isdigit()
        ):
            self.position += 1
            return _repeat(digits, self._raw_argument())
        return _number(digits)

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
        if self._peek() in _CLOSING:
            return ("seq", opening, _CLOSING[self._next().value], [])
        bars, self.bars = self.bars, 0
        inner = self._list(until=_OPENING[opening])
        self.bars = bars
        closing = _CLOSING.get(self._peek(), "")
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
        if name in _CONSTRUCTORS or name in _SETS:
            return self._constructor(name)
        if name in FUNCTIONS:
            return self._function(name)
        if name in _CONSTANTS:
            return ("const", _CONSTANTS[name])
        if name in ("e", "i") or (self.python and name in ("E", "I")):
            return ("const", name.lower())
        if len(name) > 3 and not name.isupper():
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
        return _constructed(name, form, members)

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
        else:
            arguments = [self._bare_argument()]
        if base is not None:
            arguments.append(base)
        call: Node = ("call", name, arguments)
        if power is None:
            return call
        if power == ("neg", ("num", Fraction(1), 0, 0)):  # \sin^{-1}
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
            return ("div", self._argument(), self._argument())
        if name in ("binom", "dbinom", "tbinom"):
            return ("call", "binomial", [self._argument(), self._argument()])
        if name in FUNCTIONS or name in ("arcsec", "arccot", "arccsc"):
            return self._function(name)
        if name in ("pi", "infty"):
            return ("const", "pi" if name == "pi" else "inf")
        if command in _GREEK:
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


_LATEX_PRIMARIES = frozenset(
    r"\frac \binom \dbinom \tbinom \pi \infty \mathbb \overline \lfloor \lceil \sqrt \lvert \langle \emptyset".split()
)


def _number(digits: str) -> Node:
    value = decimal_fraction(digits)
    decimals = len(digits.lower().partition("e")[0].partition(".")[2])
    shown = significant_digits(digits) if not digits.isdigit() else 0
    return ("num", value, decimals if shown else -1, shown)


def _repeat(digits: str, period: str) -> Node:
    """`0.1` and `6` are 1/6."""
    if not period.isdigit() or len(period) > 30:
        raise Unreadable("not a repeating decimal")
    decimals = len(digits.partition(".")[2])
    tail = Fraction(int(period), (10 ** len(period) - 1) * 10**decimals)
    return ("num", decimal_fraction(digits) + tail, -1, 0)


def _repeating(node: Node, digits: str) -> Node:
    """`0.333...` is 1/3; without a repeated end the dots only say that digits are missing."""
    decimals = digits.partition(".")[2]
    for length in (1, 2, 3):
        period = decimals[-length:]
        if len(decimals) >= 2 * length and len(decimals) > 1 and decimals[-2 * length : -length] == period:
            return _repeat(digits[:-length], period)
    raise Unreadable("digits are missing")


def _constructed(name: str, form: str, members: list[Node]) -> Node:
    if name in ("Fraction", "Rational") and len(members) == 2:
        return ("div", members[0], members[1])
    if name in ("Matrix", "ImmutableMatrix", "array") and len(members) == 1:
        rows = members[0][3] if members[0][0] == "seq" else []
        if rows and all(row[0] == "seq" for row in rows):
            return ("matrix", [row[3] for row in rows])
        return ("matrix", [[member] for member in rows]) if rows else members[0]
    if name == "Interval" and len(members) >= 2:
        left, right = form in ("open", "Lopen"), form in ("open", "Ropen")
        if len(members) == 4:
            left, right = members[2] == ("sym", "True"), members[3] == ("sym", "True")
        return ("seq", "(" if left else "[", ")" if right else "]", members[:2])
    if name == "Union" and members:
        node = members[0]
        for member in members[1:]:
            node = ("cup", node, member)
        return node
    if name == "Eq" and len(members) == 2:
        return ("chain", members, ["="])
    if name == "FiniteSet":
        return ("seq", r"\{", r"\}", members)
    if len(members) == 1:
        return members[0]
    raise Unreadable(f"cannot read {name}")


def parse(text: str) -> Node:
    """The tree of an answer in skeleton text; raises Unreadable."""
    return Parser(text).parse()
