"""The calculations that a rationale states, and whether they hold.

Values are exact fractions. What is written decides nothing that a careful reader would not hold against the writer:
a result may be rounded or cut to the places that it shows, percent may mean a hundredth or points, a chain may go on
from a result (`3 + 4 = 7 + 2 = 9`), units may be converted. Where that leaves doubt the calculation is neither true
nor false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

MAX_SIDE = 80
"""Longest side of an equation that is read, in tokens."""
MAX_DEPTH = 30
"""Deepest nesting of parentheses."""
MAX_DIGITS = 40
"""Longer numbers are not read."""


@dataclass(frozen=True, slots=True)
class Calculation:
    """An equation as it stands in a text: both sides as written, whether it holds (none: can't be told), and its
    half-open span [start, end) in characters."""

    left: str
    right: str
    holds: bool | None
    start: int
    end: int
    key: str
    """Both sides in one spelling: without units, currency and white space."""


def calculations(text: str) -> list[Calculation]:
    """The calculations stated in a text, in their order. Equations without any operation are not calculations.

    >>> [(c.left, c.right, c.holds) for c in calculations("They pay 3 * $4 = $12, so 20 - 12 = 9 is left.")]
    [('3 * $4', '$12', True), ('20 - 12', '9', False)]
    """
    found = []
    for start, end in _pieces(text):
        found += _read_piece(text, start, end)
    return sorted(found, key=lambda calculation: calculation.start)


def false_calculation(text: str) -> Calculation | None:
    """The first calculation that does not hold; none where there is none."""
    return next((calculation for calculation in calculations(text) if calculation.holds is False), None)


def calculation_key(text: str) -> tuple[str, ...]:
    """The ordered list of equations, in one spelling: what duplicates share (RFT, Yuan et al. 2023, section 3.3).

    An equation that directly repeats the one before it (as `<<3+4=7>>` marks do) counts once.
    """
    keys = [calculation.key for calculation in calculations(text)]
    return tuple(key for number, key in enumerate(keys) if number == 0 or keys[number - 1] != key)


# --- tokens -----------------------------------------------------------------------------------------------------

_MARK = re.compile(r"<<([^<>\n]*)>>")
_BREAK = re.compile(r"[\n;:!?]|\.(?!\d)|,(?!\d{3}(?!\d))|(?<![\d=+*/-]) ?[–—] ?(?![\d$])")
_TOKEN = re.compile(
    r"""(?P<number>(?:(?:US)?\\?[$€£¥]\s?)?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+))
    |(?P<percent>\\?%|percent\b)
    |(?P<equal>=)
    |(?P<operator>\*\*|\\times\b|\\cdot\b|\\div\b|[-+*/^×✕·⋅÷−–∗])
    |(?P<open>[(\[])|(?P<close>[)\]])
    |(?P<word>[^\W\d_]+(?:['’_-]?\w+)*)
    |(?P<other>\S)""",
    re.VERBOSE,
)
_OPERATORS = {"×": "*", "✕": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "−": "-", "–": "-", "**": "^"} | {
    "\\times": "*", "\\cdot": "*", "\\div": "/", "x": "*", "X": "*", "times": "*", "plus": "+", "minus": "-",
}  # fmt: skip
_MATHS_WORDS = frozenset(
    "half halves third thirds quarter quarters twice double triple thrice dozen dozens hundred hundreds thousand "
    "thousands million millions billion billions times plus minus divided multiplied squared cubed less remainder "
    "remaining of r am pm and by sum difference product square root sqrt pi".split()
)
_CONVERTED = {
    "second": "time", "sec": "time", "minute": "time", "min": "time", "hour": "time", "hr": "time", "day": "time",
    "week": "time", "month": "time", "year": "time", "decade": "time", "cent": "money", "dollar": "money", "$": "money",
    "penny": "money", "pennies": "money", "nickel": "money", "dime": "money", "quarter": "money", "inch": "length",
    "inches": "length", "foot": "length", "feet": "length", "ft": "length", "yard": "length", "mile": "length",
    "cm": "length", "mm": "length", "m": "length", "km": "length", "meter": "length", "metre": "length",
    "ounce": "weight", "oz": "weight", "pound": "weight", "lb": "weight", "gram": "weight", "g": "weight",
    "kg": "weight", "kilogram": "weight", "ton": "weight", "mg": "weight", "cup": "volume", "pint": "volume",
    "quart": "volume", "gallon": "volume", "liter": "volume", "litre": "volume", "ml": "volume", "dozen": "count",
    "pair": "count", "score": "count",
}  # fmt: skip


@dataclass(slots=True)
class _Token:
    """`kind` is number, variable, percent, operator, open, close, equal or gap (words and signs between
    expressions). `value` of a number; `units` are the words that belong to it."""

    kind: str
    text: str
    start: int
    end: int
    value: Fraction = Fraction(0)
    places: int = 0
    units: tuple[str, ...] = ()


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Spans that hold an equal sign and no end of a sentence: calculator marks, and the text without them."""
    for mark in _MARK.finditer(text):
        yield mark.span(1)
    start = 0
    blank = _MARK.sub(lambda mark: " " * len(mark[0]), text)
    for end in [match.start() for match in _BREAK.finditer(blank)] + [len(text)]:
        if "=" in blank[start:end]:
            yield start, end
        start = end + 1


def _read_piece(text: str, start: int, end: int) -> Iterator[Calculation]:
    piece = _MARK.sub(lambda mark: " " * len(mark[0]), text[start:end])
    return iter(())
