"""Arithmetic inside prose: tokens with their units, and the expressions that end or begin at a place in the text."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

MAX_TOKENS = 80
"""Longest side of an equation that is read."""
MAX_DEPTH = 30
"""Deepest nesting of parentheses."""
MAX_DIGITS = 40
"""Digits of the longest number, and of the largest power, that is read."""

_TOKEN = re.compile(
    r"""(?P<number>(?P<currency>(?:US)?\\?[$€£¥]\s?)?
        (?P<digits>\d{1,3}(?:,\d{3})+(?![\d])(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:(?<=\.\d)\.{2,3}|…)?)
    |(?P<percent>\\?%|percent\b)
    |(?P<equal>=)
    |(?P<operator>\*\*|\\times\b|\\cdot\b|\\div\b|[-+*/^×✕·⋅÷−–∗]|(?<![^\W\d_])[xX](?=\s*(?:\\?[$€£¥]\s?)?[\d.(])
        |(?<=\s)(?:times|plus|minus|divided\ by|multiplied\ by)(?=\s+(?:\\?[$€£¥]\s?)?[\d.(]))
    |(?P<open>[(\[])|(?P<close>[)\]])
    |(?P<word>[^\W\d_]+(?:['’_]?\w+|-[^\W\d_]{2,})*)
    |(?P<other>\S)""",
    re.VERBOSE,
)
_SIGNS = {
    "**": "^", "×": "*", "✕": "*", "·": "*", "⋅": "*", "∗": "*", "\\times": "*", "\\cdot": "*", "x": "*", "X": "*",
    "times": "*", "multiplied by": "*", "÷": "/", "\\div": "/", "divided by": "/", "−": "-", "–": "-", "plus": "+",
    "minus": "-",
}  # fmt: skip
_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_UNIT_SIGNS = ("$", "€", "£", "¥", "¢", "°", '"', "'")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPEN_ENDED = _words(
    "half halves third thirds quarter quarters twice double triple thrice dozen dozens hundred hundreds thousand "
    "thousands k million millions billion billions divided multiplied squared cubed less remainder r am pm root sqrt "
    "pi average"
)
"""Words that may change the value of the expression beside them."""
_WHOSE = _words("of the her his their its my our those these all remaining total")
"""Words of phrases such as `2/3 of the`."""
_NO_UNITS = _words(
    "because since so as then thus therefore hence if when while which that and or but of is are was were be has have "
    "had he she it they we you"
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is number, variable, percent, operator, open, close, equal, or gap for anything else.

    `text` is an operator's one spelling; `value` and `places` (decimals shown) are a number's; `units` are the words
    behind a number, a percent sign or a closing parenthesis.
    """

    kind: str
    text: str
    start: int
    end: int
    value: Fraction = Fraction(0)
    places: int = 0
    units: frozenset[str] = frozenset()


_END = Token("equal", "", -1, -1)  # ends like a side of an equation, and touches nothing


@dataclass(frozen=True, slots=True)
class Expression:
    """A value as it was written.

    `values` are its readings with percent as a hundredth and as points, None where unknown (variables, division by
    zero). `begins` is the left operand of its last operation: a chain may continue from there.
    """

    values: tuple[Fraction | None, Fraction | None]
    key: str
    operations: int = 0
    places: int = 0
    percent: bool = False
    mixes_percent: bool = False
    begins: Expression | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """An expression, its half-open span in the text, its units, and whether its neighbours may change its value."""

    expression: Expression
    start: int
    end: int
    units: frozenset[str]
    doubtful: bool


def tokens_of(text: str, start: int, end: int) -> list[Token]:
    """The tokens of a span; units are part of the token that they belong to."""
    raw = [*map(_token, _TOKEN.finditer(text, start, end)), _END]
    at_line_start = start in (0, text.rfind("\n", 0, start) + 1)
    at = int(at_line_start and raw[0].kind == "operator" and text[raw[0].end].isspace())  # skip a bullet
    tokens: list[Token] = []
    while raw[at] is not _END:
        token = raw[at]
        if token.kind == "number":
            token, at = _fraction(text, raw, at)
        elif token.kind == "gap":
            token = _variable(token, raw[at + 1])
        at += 1
        tokens.append(token)
        if token.kind in ("number", "close", "percent"):
            units, at, product = _units(raw, at, tokens)
            if units:
                tokens[-1] = replace(token, units=token.units | units, end=raw[at - 1].end)
            tokens += product
    return tokens


def _token(match: re.Match[str]) -> Token:
    kind, text, (start, end) = str(match.lastgroup), match[0], match.span()
    if kind in ("word", "other"):
        return Token("gap", text, start, end)
    if kind != "number":
        return Token(kind, _SIGNS.get(text, text), start, end)
    digits = match["digits"].replace(",", "")
    if len(digits) > MAX_DIGITS or (digits[0] == "0" and digits[1:2].isdigit()):  # 0730 is a time
        return Token("gap", text, start, end)
    units = frozenset(match["currency"].strip("US\\ ")) if match["currency"] else frozenset()
    places = len(digits.partition(".")[2])
    return Token("number", text, start, end, Fraction(digits if places else int(digits)), places, units)


def _fraction(text: str, raw: Sequence[Token], at: int) -> tuple[Token, int]:
    """The number at a place, and the place of its last token.

    `2 1/2` and `2 and 1/2` are one number, and so is the divisor in `6 / 1/4`, as the spaces show.
    """
    here = raw[at]
    after = at + 1 + (raw[at + 1].text == "and")
    if (part := _tight(raw, after)) and text[here.end : raw[after].start].strip() in ("", "and"):
        whole = not here.places and here.end < raw[after].start and part.value < 1
        if whole and not raw[after].units:
            return replace(here, end=part.end, value=here.value + part.value), after + 2
    divided = at > 0 and raw[at - 1].text == "/" and raw[at - 1].end < here.start
    if divided and (part := _tight(raw, at)):
        return part, at + 2
    return here, at


def _tight(raw: Sequence[Token], at: int) -> Token | None:
    """A fraction of whole numbers that is written without spaces."""
    if [token.kind for token in raw[at : at + 3]] != ["number", "operator", "number"]:
        return None
    top, slash, bottom = raw[at : at + 3]
    joined = slash.text == "/" and top.end == slash.start and slash.end == bottom.start
    if not joined or top.places or bottom.places or not bottom.value:
        return None
    return replace(top, end=bottom.end, value=top.value / bottom.value)


def _variable(token: Token, after: Token) -> Token:
    """A single letter, or a name with an underscore, is a variable when arithmetic follows."""
    named = "_" in token.text or (len(token.text) == 1 and token.text.isalpha())
    return replace(token, kind="variable") if named and after.kind in ("operator", "equal", "close") else token


def _units(raw: list[Token], at: int, before: list[Token]) -> tuple[frozenset[str], int, list[Token]]:
    """The unit words from `at` on, where they end, and the multiplication meant by an `of` in `2/3 of the`.

    Words between two numbers belong to neither, unless an operator or the end of the expression follows them.
    """
    words, end = [], at
    while True:
        here, touching = raw[end], raw[end].start == raw[end - 1].end
        joint = here.kind == "operator" and (here.text == "/" or (here.text == "-" and touching))
        if joint and _is_unit(raw, end + 1):
            end += 1
        elif not (_is_unit(raw, end) or (here.text in _UNIT_SIGNS and touching)):
            break
        words.append(raw[end].text.casefold())
        end += 1
    follows = raw[end].kind
    fraction = before[-1].kind == "percent" or (len(before) > 1 and before[-2].text == "/")
    if words[:1] == ["of"] and _WHOSE.issuperset(words) and follows in ("number", "open") and fraction:
        return frozenset(), end, [Token("operator", "*", raw[at].start, raw[end - 1].end)]
    if not words or words[0] in _OPEN_ENDED or words[0] in _NO_UNITS:
        return frozenset(), at, []
    if follows in ("number", "open", "gap") or len(words) > 6 or not _NO_UNITS.isdisjoint(words):
        return frozenset(words[:1]), at + 1 + (raw[at].kind == "operator"), []
    return frozenset(words), end, []


def _is_unit(raw: list[Token], at: int) -> bool:
    """Whether a token may be a word of a unit: not a variable, nor a letter that touches its number."""
    token = raw[at]
    if token.kind != "gap" or not token.text.replace("-", "").isalpha():
        return False
    return len(token.text) > 1 or (token.text in "amghslL" and token.start > raw[at - 1].end)


def leading(tokens: Sequence[Token]) -> Side | None:
    """The longest expression at the beginning."""
    parser = _Parser(tokens[:MAX_TOKENS])
    expression = parser.sum()
    if expression is None:
        return None
    behind = tokens[parser.at : parser.at + 1]
    doubtful = any(token.kind not in ("gap", "open", "close") or _may_change(token) for token in behind)
    return _side(tokens[: parser.at], expression, doubtful)


def trailing(tokens: Sequence[Token]) -> Side | None:
    """The longest expression at the end."""
    tokens = tokens[-MAX_TOKENS:]
    first = max((number + 1 for number, token in enumerate(tokens) if token.kind == "gap"), default=0)
    for start in range(first, len(tokens)):
        parser = _Parser(tokens[start:])
        expression = parser.sum()
        if expression is None or start + parser.at < len(tokens):
            continue
        skipped = [token.kind for token in tokens[first:start]]
        beside = [token for token in tokens[:first] if token.text.casefold() not in _WHOSE][-1:]
        doubtful = (
            len(tokens) == MAX_TOKENS
            or not (skipped == ["number", "close"] or {"open"}.issuperset(skipped))  # `1) 3 + 4`, `(3 + 4`
            or any(token.kind == "operator" or token.text.casefold() in _OPEN_ENDED for token in tokens[:first][-2:])
            or any(map(_may_change, beside))
        )
        return _side(tokens[start:], expression, doubtful)
    return None


def _side(tokens: Sequence[Token], expression: Expression, doubtful: bool) -> Side:
    units = frozenset[str]().union(*(token.units for token in tokens))
    return Side(expression, tokens[0].start, tokens[-1].end, units, doubtful)


def _may_change(token: Token) -> bool:
    """Whether a word or sign next to an expression may change its value."""
    plain = token.text[0].isalpha() or token.kind != "gap" or token.text in "\"'“”’‘&$"
    return not plain or token.text.casefold() in _OPEN_ENDED


class _Parser:
    """Recursive descent that stops where the arithmetic ends; its methods return None where no operand follows."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = [*tokens, _END]
        self.at = 0
        self.depth = 0

    def sum(self) -> Expression | None:
        return self._chain(self._product, "+-")

    def _product(self) -> Expression | None:
        return self._chain(self._power, "*/")

    def _chain(self, part: Callable[[], Expression | None], signs: str) -> Expression | None:
        left = part()
        while left is not None:
            at = self.at
            sign = self._sign(signs)
            right = part() if sign else None
            if right is None:
                self.at = at
                return left
            left = _operate(sign, left, right)
        return None

    def _sign(self, signs: str) -> str:
        """The next operator if it is one of these, a multiplication where factors touch, or an empty string."""
        token = self.tokens[self.at]
        if token.kind == "operator" and token.text in signs:
            self.at += 1
            return token.text
        touching = self.at > 0 and self.tokens[self.at - 1].end == token.start
        return "*" if touching and "*" in signs and token.kind in ("open", "variable") else ""

    def _power(self) -> Expression | None:
        base, at = self._operand(), self.at
        exponent = self._operand() if base and self._sign("^") else None
        if base is None or exponent is None:
            self.at = at
            return base
        return _power(base, exponent)

    def _operand(self) -> Expression | None:
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "number":
            return self._percent(Expression((token.value, token.value), str(token.value), places=token.places))
        if token.kind == "variable":
            return Expression((None, None), token.text)
        if token.kind == "operator" and token.text == "-":
            tight = self.tokens[self.at].start == token.end  # else it is a bullet or a dash
            inner = self._operand() if tight else None
            if inner is None:
                return None
            hundredth, points = (None if value is None else -value for value in inner.values)
            return replace(inner, values=(hundredth, points), key=f"-{inner.key}", begins=None)
        if token.kind == "open" and self.depth < MAX_DEPTH:
            self.depth += 1
            inner = self.sum()
            self.depth -= 1
            if inner and self.tokens[self.at].kind == "close":
                self.at += 1
                return self._percent(inner)
        return None

    def _percent(self, inner: Expression) -> Expression:
        if self.tokens[self.at].kind != "percent":
            return inner
        self.at += 1
        hundredth, points = inner.values
        values = None if hundredth is None else hundredth / 100, points
        return replace(inner, values=values, key=f"{inner.key}%", percent=True, begins=None)


def _operate(sign: str, left: Expression, right: Expression) -> Expression:
    return Expression(
        (_value(sign, left.values[0], right.values[0]), _value(sign, left.values[1], right.values[1])),
        f"({left.key}{sign}{right.key})",
        operations=left.operations + right.operations + 1,
        percent=left.percent or right.percent,
        mixes_percent=left.mixes_percent or right.mixes_percent or (sign in "+-" and left.percent != right.percent),
        begins=left,
    )


def _value(sign: str, a: Fraction | None, b: Fraction | None) -> Fraction | None:
    return None if a is None or b is None or (sign == "/" and not b) else _OPERATIONS[sign](a, b)


def _power(base: Expression, exponent: Expression) -> Expression:
    a, b = base.values[0], exponent.values[0]
    value = None
    if a is not None and b is not None and b.denominator == 1 and b >= 0 and len(str(a)) * b <= MAX_DIGITS:
        value = a ** int(b)
    return Expression((value, value), f"({base.key}^{exponent.key})", base.operations + 1, begins=base)
