"""Equations of thought as a model wrote them: from lines to statements, without comments, markup and prose.

The format is that of EoTD (Zhu et al. 2024, section 3).
"""

# ruff: noqa: SIM905 (word lists are easier to read as one string)
from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from mmst.verify.answers.clean import plain_characters
from mmst.verify.answers.plain import KNOWN_UNITS
from mmst.verify.answers.units import is_unit
from mmst.verify.equations.expression import (
    DROPPED,
    FUNCTIONS,
    RELATIONS,
    SCALES,
    Node,
    Reader,
    Token,
    Unreadable,
    names_in,
    number,
    tokens_of,
)

MAX_CHARACTERS = 12_000
"""Longer texts are unreadable."""
MAX_STATEMENTS = 200

_ANSWERS = ("ans", "answer", "final_answer", "the_answer", "the_final_answer")
_COMMENT = re.compile(r"\s*(?:%|#|//|/\*|--|\"\"\"|''')")
_TRAILING = re.compile(r"\s(?://|--|/\*)(?!\s*[\d(])|#|(?<=;)\s*%|\s%(?=\s*[^\W\d])(?!\s*of\b)")
_BULLET = re.compile(r"^\s*(?:(?:[-*•]\s+(?=[^\W\d]))|\(?\d+[.)]\s+(?=[^\W\d])|>\s+)")
_LABEL = re.compile(r"^\s*[^\W\d][^=<>:]{0,80}:\s+(?=.*[=<>])")
_CODE = re.compile(r"\s*(?:if|elif|else|for|while|def|return|import|from)\b(?!_)")
_FILLER = frozenset(
    "let lets let's say us so then thus therefore hence where and also we have now since given assume suppose set get "
    "that is".split()
)
_GROWTH = re.compile(r"^(?P<name>[^\W\d]\w*)\s*(?P<sign>[-+*/])=(?!=)")
_REMARK = re.compile(r"(?<=\w)\s+\((?:[$€£¥]|in [a-zA-Z ]+|([a-zA-Z]{2,}))\)")
_DEFINED = re.compile(r"^\s*([^\W\d]\w*)\s*:?=(?!=)", re.MULTILINE)
_WORD = re.compile(r"\s*([^\W\d]\w*)\s*(?:[-+*/)=#;,]|$)")
_SAID = re.compile(r"answers? is (?P<rest>[^\n]*?)\s*[:.?]*\s*$", re.IGNORECASE)
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))"),
        (r"\\sqrt\s*\{([^{}]*)\}", r"sqrt(\1)"),
        (r"\\sqrt\s+([\w.]+)", r"sqrt(\1)"),
        (r"\\(?:text|mathrm|operatorname|mathit)\s*\{([^{}]*)\}", r"\1"),
        (r"\\(?:times|cdot|ast)(?![a-zA-Z])", "*"),
        (r"\\div(?![a-zA-Z])", "/"),
        (r"\\(?:leq?)(?![a-zA-Z])", "<="),
        (r"\\(?:geq?)(?![a-zA-Z])", ">="),
        (r"\\(?:approx|simeq|sim)(?![a-zA-Z])", "~"),
        (r"\\(?:left|right|[,;:! ]|q?quad|\\)", " "),
        (r"\\%", "%"),
        (r"\\?\$|\\[()\[\]]|[€£¥`]", " "),
        (r"(?<!\S)\*\*(?=\S)([^*]+)(?<=\S)\*\*(?=[\s.,:;]|$)", r"\1"),
        (r"(?<=\w)_\{(\w+)\}", r"_\1"),
        (r"\\_", "_"),
        (r"\\(?=[a-zA-Z])", ""),
    )
]


@dataclass(frozen=True, slots=True)
class Statement:
    """`left relation right`, where the relation is `=`, `<`, `<=`, `>` or `>=`; `line` counts from 0."""

    relation: str
    left: Node
    right: Node
    line: int


@dataclass(frozen=True, slots=True)
class System:
    """The statements of a text in order, and the expression that is the answer, if the text names one."""

    statements: tuple[Statement, ...]
    answer: Node | None


def read_system(text: str) -> System:
    """The system that a text states.

    Updating a quantity that has a value (`total = total + 5`) makes a new one, `total'`, which later lines refer to.
    Prose is ignored. A statement that cannot be read makes the whole text unreadable, since the rest might have
    another answer.

    Raises
    ------
    Unreadable
        An equation cannot be read, the text is code with loops or branches, or it is too long.
    """
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("too long")
    lines = [plain_characters(line) for line in text.splitlines()]
    defined = set(_DEFINED.findall(text))
    pieces = [(number, piece) for number, line in enumerate(lines) for piece in _pieces(line, defined)]
    if len(pieces) > MAX_STATEMENTS:
        raise Unreadable("too many equations")
    names = _names([tokens for _, tokens in pieces])
    statements = [s for number, tokens in pieces for s in _statements(tokens, names, number)]
    answer = _answer(statements, lines, names)
    return _with_updates(statements, answer)


def _equation_text(line: str, defined: Collection[str]) -> str:
    """A line without its comment. In `a // b` and `a % b`, b does not begin a comment if it is a quantity."""
    if _COMMENT.match(line):
        return ""
    for sign in _TRAILING.finditer(line):
        operand = _WORD.match(line, sign.end())
        if not (operand and operand[1] in defined) or "#" in sign[0]:
            return line[: sign.start()]
    return line


def _pieces(line: str, defined: Collection[str]) -> Iterator[list[Token]]:
    """The tokens of each statement on a line."""
    line = _equation_text(line, defined)
    if not re.search(r"[=<>]|\\[lg]e", line):
        return
    if _CODE.match(line):
        raise Unreadable("code")
    line = _LABEL.sub("", _BULLET.sub("", line))
    line = _REMARK.sub(lambda remark: remark[0] if remark[1] and not _unit(remark[1]) else "", line)
    for pattern, replacement in _REWRITES:
        line = pattern.sub(replacement, line)
    line = _GROWTH.sub(r"\g<name> = \g<name> \g<sign>", line.strip()).rstrip(" .;,")
    for piece in _split(tokens_of(line)):
        if any(token.kind == "relation" for token in piece):
            yield _without_filler(piece)


def _split(tokens: list[Token]) -> Iterator[list[Token]]:
    """Split at commas, semicolons and `and` outside brackets."""
    piece: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if depth == 0 and token.text in (",", ";", "and"):
            yield piece
            piece = []
        else:
            piece.append(token)
    yield piece


def _without_filler(tokens: list[Token]) -> list[Token]:
    start = 0
    while start + 1 < len(tokens) and tokens[start].text.lower() in _FILLER and tokens[start + 1].kind != "relation":
        start += 1
    return tokens[start:]


def _sides(tokens: Sequence[Token]) -> list[list[Token]]:
    sides: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == "relation":
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


def _names(pieces: list[list[Token]]) -> set[str]:
    """All names: words alone on a side, and single words in the place of an operand.

    A word after a number is a name if it looks like one (`3x_1`, `3apples`), or if another such word of the statement
    is one, as in `3 apples + 2 pears = 12`.
    """
    sides = [side for piece in pieces for side in _sides(piece)]
    names = {"_".join(t.text for t in side) for side in sides if side and all(t.kind == "word" for t in side)}
    for side in sides:
        names.update(token.text for number, token in enumerate(side) if _is_operand(side, number))
    behind = [
        [t for before, t in pairwise(piece) if t.kind == "word" and (before.kind == "number" or before.text in ")]")]
        for piece in pieces
    ]
    for words in behind:
        names.update(t.text for t in words if "_" in t.text or not (t.spaced or len(t.text) == 1 or _unit(t.text)))
    for words in behind:
        if any(token.text in names for token in words):
            names.update(token.text for token in words if not _unit(token.text))
    return names


def _is_operand(side: list[Token], number: int) -> bool:
    """Whether a token is a single word in the place of an operand, and neither a function nor a unit as in `/ hour`."""
    token, following = side[number], side[number + 1 : number + 2]
    if token.kind != "word" or (following and following[0].kind == "word"):
        return False
    if following and following[0].text == "(" and token.text.lower() in FUNCTIONS:
        return False
    before = side[max(0, number - 3) : number]
    if before and (before[-1].kind != "sign" or before[-1].text in ")]%}"):
        return False
    return [t.kind for t in before[:2]] != ["number", "word"] or before[-1].text != "/"


def _unit(word: str) -> bool:
    return is_unit(word) or word in KNOWN_UNITS or word.lower() in SCALES


def _statements(tokens: list[Token], names: set[str], line: int) -> Iterator[Statement]:
    """The statements of a piece: `a = b = 3` has two, `a ~ 3` has none."""
    relations = [token.text for token in tokens if token.kind == "relation"]
    sides = [Reader(side, names).all() for side in _sides(tokens)]
    for relation, (left, right) in zip(relations, pairwise(sides), strict=True):
        if relation not in DROPPED:
            yield Statement(RELATIONS[relation], left, right, line)


def _answer(statements: list[Statement], lines: list[str], names: set[str]) -> Node | None:
    """`ans`, or else the expression in the last comment that says `the answer is ...`."""
    found = [name for s in statements if s.relation == "=" for side in (s.left, s.right) for name in names_in(side)]
    for name in reversed(found):
        if name.lower() in _ANSWERS:
            return Node("name", (name,))
    for line in reversed(lines):
        said = _SAID.search(line)
        if said and (answer := _said(said["rest"], names)):
            return answer
    return None


def _said(text: str, names: set[str]) -> Node | None:
    try:
        node = Reader(tokens_of(text), names).all()
    except Unreadable:
        return None
    used = list(names_in(node))
    return node if used and all(name in names for name in used) else None


def _with_updates(statements: list[Statement], answer: Node | None) -> System:
    version: dict[str, str] = {}
    defined: set[str] = set()
    read = []
    for s in statements:
        name = s.left.parts[0] if s.left.op == "name" and s.relation == "=" else None
        right = _renamed(s.right, version)
        if name in defined and name in names_in(s.right):
            version[name] = f"{version.get(name, name)}'"
        if name is not None:
            defined.add(name)
        read.append(replace(s, left=_renamed(s.left, version), right=right))
    return System(tuple(read), answer and _renamed(answer, version))


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    if node.op == "name":
        return Node("name", (names.get(node.parts[0], node.parts[0]),))
    return node if node.op == "number" else Node(node.op, tuple(_renamed(part, names) for part in node.parts))


def in_percent(system: System) -> bool:
    """Whether the answer is a percentage: `ans = 25%`, or `share = part / all * 100%` with `ans = share`."""
    node, seen = system.answer, 0
    while node and node.op == "name" and seen < len(system.statements):
        node, seen = next((s.right for s in reversed(system.statements) if s.left == node), None), seen + 1
    if node is None:
        return False
    return node.op == "%" or (node.op == "*" and Node("%", (number(100),)) in node.parts)
