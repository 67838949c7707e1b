"""Cutting an answer into tokens: the vocabulary of LaTeX, plain text, Python and SymPy prints."""

# ruff: noqa: SIM905 (word lists are easier to read as one string)
from __future__ import annotations

import re
from typing import Any, NamedTuple

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.plain import KNOWN_UNITS
from mmst.verify.answers.policy import MAX_TOKENS

Node = tuple[Any, ...]
"""A tree; see grammar.py."""

FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan asin acos atan sinh cosh tanh log ln lg exp sqrt cbrt abs Abs max "
    "min floor ceil ceiling factorial binomial binom gcd lcm Max Min re im conjugate".split()
)
CONSTRUCTORS = frozenset("Fraction Rational Decimal Integer Float float int Matrix ImmutableMatrix array".split())
SETS = frozenset("And Or Ne FiniteSet Interval Union set frozenset tuple list Tuple Eq".split())
CONSTANTS = {"pi": "pi", "oo": "inf", "inf": "inf", "infinity": "inf", "Infinity": "inf", "infty": "inf"}
RELATIONS = {
    "=": "=", "==": "=", r"\equiv": "=", r"\approx": "~", r"\simeq": "~", r"\sim": "~", "<": "<", r"\lt": "<",
    r"\gt": ">", ">": ">", "<=": "<=", r"\le": "<=", r"\leq": "<=", r"\leqslant": "<=", r"\geqslant": ">=",
    ">=": ">=", r"\ge": ">=", r"\geq": ">=", "!=": "!=", r"\ne": "!=", r"\neq": "!=", r"\in": "in",
}  # fmt: skip
SEPARATORS = {"and": "and", "or": "or", "&": "and", r"\quad": "quad", r"\qquad": "quad", ",": ",", ";": ";"}
SEPARATORS |= {r"\lor": "or", r"\vee": "or", r"\land": "and", r"\wedge": "and"}
GREEK = frozenset(
    r"\alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \vartheta \iota \kappa \lambda \mu \nu \xi "
    r"\rho \sigma \tau \upsilon \phi \varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Sigma \Phi \Psi \Omega "
    r"\ell \hbar \zzz".split()
)
# Short words that are prose, not products of letters
_PROSE = frozenset(
    "is the that we of not it its so to by as at be for are was has had he she an our you can if mod div both all when "
    "who how why but due per via her his him one two six ten yes no none get got let now see out off use way".split()
)
_KNOWN_WORDS = FUNCTIONS | CONSTRUCTORS | CONSTANTS.keys() | SETS | KNOWN_UNITS | SEPARATORS.keys()
_LONG_WORD = re.compile(r"(?<![\\{a-zA-Z])[a-z]{4,}(?![a-zA-Z(])")
OPENING = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", r"\langle": r"\rangle", r"\lbrace": r"\}", r"\lbrack": "]"}
CLOSING = {")": ")", "]": "]", "}": "}", r"\}": r"\}", r"\rangle": r"\rangle", r"\rbrace": r"\}", r"\rbrack": "]"}
_TEXT = (
    r"\\(?:text(?:bf|it|rm|sf|tt|normal|sc|up)?|mbox|hbox|mathrm|mathsf|mathtt|operatorname\*?|rm)"
    r"\s*\{(?P<text>(?:[^{}]|\{[^{}]*\})*)\}"
)
_TOKEN = re.compile(
    rf"(?P<space>\s+)|{_TEXT}|(?P<begin>\\begin\s*\{{(?P<env>[a-zA-Z]+\*?)\}})|(?P<end>\\end\s*\{{[a-zA-Z]+\*?\}})"
    r"|(?P<num>(?:\d+(?:\.\d+|\.(?=\s*\\overline))?|\.\d+)(?:[eE][+-]?\d+)?)|(?P<cmd>\\(?:[a-zA-Z]+|.))|(?P<name>[A-Za-z]+)"
    r"|(?P<op>\*\*|//|<=|>=|!=|==|\.\.\.|[-+*/^_=<>(){}\[\]|,;:!%&'.])",
    re.ASCII | re.DOTALL,
)
_THOUSANDS = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:,\d{3})+(?![\d])(?:\.\d+)?", re.ASCII)


LATEX_PRIMARIES = frozenset(
    r"\frac \binom \dbinom \tbinom \pi \infty \mathbb \overline \lfloor \lceil \sqrt \lvert \langle \emptyset".split()
)


class Token(NamedTuple):
    kind: str
    value: str
    spaced: bool


def tokenize(text: str) -> list[Token]:
    """Cut skeleton text into tokens; commas group thousands only outside all brackets."""
    tokens: list[Token] = []
    position, spaced, depth = 0, False, 0
    prose = bool(_LONG_WORD.search(text))
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
        if value in OPENING:
            depth += 1
        elif value in CLOSING:
            depth -= 1
        if len(tokens) > MAX_TOKENS:
            raise Unreadable("too long")
        tokens.extend(_split(kind, value, spaced, prose))
        spaced = False
    return tokens


def _split(kind: str, value: str, spaced: bool, prose: bool) -> list[Token]:
    """Short words are products of letters, unless they are functions, constants or units, or stand among words."""
    if kind != "name" or len(value) == 1 or len(value) > 3 or value in _KNOWN_WORDS:
        return [Token(kind, value, spaced)]
    if value.lower() in _PROSE and not value.isupper():
        raise Unreadable("a sentence")
    if prose and value.islower():
        return [Token(kind, value, spaced)]
    return [Token("name", letter, spaced and not i) for i, letter in enumerate(value)]


class Cursor:
    """A place in the tokens of one answer."""

    def __init__(self, text: str) -> None:
        self.tokens = tokenize(text)
        self.position = 0

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

    def _calls(self) -> bool:
        ahead = self.tokens[self.position + 1 : self.position + 2]
        return bool(ahead) and ahead[0].value == "(" and not ahead[0].spaced

    def _after_closing(self) -> bool:
        return self.position > 0 and self.tokens[self.position - 1].value in CLOSING
