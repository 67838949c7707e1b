"""Cutting an answer into tokens: the vocabulary of LaTeX, plain text, Python and SymPy prints."""

# ruff: noqa: SIM905 (word lists are easier to read as one string)
from __future__ import annotations

import re
from typing import NamedTuple

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.plain import KNOWN_UNITS
from mmst.verify.answers.policy import MAX_TOKENS

FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan asin acos atan sinh cosh tanh log ln lg exp sqrt cbrt abs Abs max "
    "min floor ceil ceiling factorial binomial binom gcd lcm Max Min re im conjugate".split()
)
CONSTRUCTORS = frozenset(
    "Fraction Rational Decimal Integer Float float int Matrix ImmutableMatrix array And Or Ne Eq FiniteSet Interval "
    "Union set frozenset tuple list Tuple".split()
)
CONSTANTS = {"pi": "pi", "oo": "inf", "inf": "inf", "infinity": "inf", "Infinity": "inf", "infty": "inf"}
RELATIONS = {
    "=": "=", "==": "=", r"\equiv": "=", r"\approx": "~", r"\simeq": "~", r"\sim": "~", "<": "<", r"\lt": "<",
    r"\gt": ">", ">": ">", "<=": "<=", r"\le": "<=", r"\leq": "<=", r"\leqslant": "<=", r"\geqslant": ">=",
    ">=": ">=", r"\ge": ">=", r"\geq": ">=", "!=": "!=", r"\ne": "!=", r"\neq": "!=", r"\in": "in",
}  # fmt: skip
SEPARATORS = {"and": "and", "or": "or", "&": "and", r"\quad": "quad", r"\qquad": "quad", ",": ",", ";": ";"}
SEPARATORS |= {r"\lor": "or", r"\vee": "or", r"\land": "and", r"\wedge": "and"}
PRIMARIES = frozenset(
    r"\frac \binom \dbinom \tbinom \pi \infty \mathbb \overline \lfloor \lceil \sqrt \lvert \langle \emptyset".split()
)
"""Commands that begin a factor, besides Greek letters and functions."""
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
_KNOWN_WORDS = FUNCTIONS | CONSTRUCTORS | CONSTANTS.keys() | KNOWN_UNITS | SEPARATORS.keys()
_LONG_WORD = re.compile(r"(?<![\\{a-zA-Z])[a-z]{4,}(?![a-zA-Z(])")
OPENING = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", r"\langle": r"\rangle", r"\lbrace": r"\}", r"\lbrack": "]"}
CLOSING = {")": ")", "]": "]", "}": "}", r"\}": r"\}", r"\rangle": r"\rangle", r"\rbrace": r"\}", r"\rbrack": "]"}
_TEXT = (
    r"\\(?:text(?:bf|it|rm|sf|tt|normal|sc|up)?|mbox|hbox|mathrm|mathsf|mathtt|operatorname\*?|rm)"
    r"\s*\{(?P<text>(?:[^{}]|\{[^{}]*\})*)\}"
)
_TOKEN = re.compile(
    rf"(?P<space>\s+)|{_TEXT}|\\begin\s*\{{(?P<begin>[a-zA-Z]+\*?)\}}|(?P<end>\\end\s*\{{[a-zA-Z]+\*?\}})"
    r"|(?P<num>(?:\d+(?:\.\d+|\.(?=\s*\\overline))?|\.\d+)(?:[eE][+-]?\d+)?)|(?P<cmd>\\(?:[a-zA-Z]+|.))|(?P<name>[A-Za-z]+)"
    r"|(?P<op>\*\*|//|<=|>=|!=|==|\.\.\.|[-+*/^_=<>(){}\[\]|,;:!%&'.])",
    re.ASCII | re.DOTALL,
)
_THOUSANDS = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:,\d{3})+(?![\d])(?:\.\d+)?", re.ASCII)


class Token(NamedTuple):
    """`kind` is num, name, cmd, op, text, begin or end; the value of a text is `text:` and its words."""

    kind: str
    value: str
    spaced: bool

    @property
    def written(self) -> str:
        """The token's characters."""
        return self.value.removeprefix("text:")


def tokenize(text: str) -> list[Token]:
    """Cut skeleton text into tokens; commas group thousands only outside all brackets. Raises Unreadable."""
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
        kind, value = match.lastgroup or "", match[match.lastgroup or 0]
        if kind == "space":
            spaced = True
            continue
        depth += (value in OPENING) - (value in CLOSING)
        if len(tokens) > MAX_TOKENS:
            raise Unreadable("too long")
        if kind == "name":
            tokens += _split(value, spaced, prose)
        else:
            tokens.append(Token(kind, f"text:{value}" if kind == "text" else value, spaced))
        spaced = False
    return tokens


def _split(word: str, spaced: bool, prose: bool) -> list[Token]:
    """Short words are products of letters, unless they are functions, constants or units, or stand among words."""
    if 1 < len(word) <= 3 and word not in _KNOWN_WORDS:
        if word.lower() in _PROSE and not word.isupper():
            raise Unreadable("a sentence")
        if not (prose and word.islower()):
            return [Token("name", letter, spaced and not i) for i, letter in enumerate(word)]
    return [Token("name", word, spaced)]
