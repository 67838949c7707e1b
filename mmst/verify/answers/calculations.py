"""The calculations that a rationale states, and whether they hold.

Values are exact fractions. Where a careful reader would give the writer the benefit of the doubt, so does this module:
a result may be rounded or cut to the places that it shows, percent may mean a hundredth or points, a chain may
continue from a result (`3 + 4 = 7 + 2 = 9`), units may be converted. A calculation in doubt is neither true nor false.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise

from mmst.verify.answers.arithmetic import Expression, Side, Token, leading, tokens_of, trailing

_MARK = re.compile(r"<<([^<>\n]*)>>")
_END = re.compile(
    r"[\n;!?]|(?<!\d):|:(?!\d)"  # but 9:30
    r"|(?<![-+*/=(]\s)(?<!\.)\.(?![\d.])"  # but 0.5, .5, 3.33... and the slip `. 5` after an operator
    r"|(?<!\d),|,(?!\s?\d{3}(?!\d)|\d)"  # but 1,000 and the slips `1, 000` and `1,0000`
)
_CONVERTIBLE = {
    "time": "second sec minute min hour hr day week month year decade night",
    "money": "cent dollar $ ¢ penny pennies nickel dime quarter buck",
    "length": "inch inche foot feet ft yard mile cm mm m km meter metre block lap",
    "amount": "ounce oz pound lb gram g kg kilogram ton mg cup pint quart gallon liter litre ml teaspoon tablespoon",
    "count": "dozen pair score",
}
_DIMENSIONS = {word: kind for kind, words in _CONVERTIBLE.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class Calculation:
    """An equation as stated in a text.

    left, right: its sides as written.
    holds: whether it is true; None if in doubt.
    start, end: its half-open span in characters.
    key: its one spelling, without units and white space.
    """

    left: str
    right: str
    holds: bool | None
    start: int
    end: int
    key: str


@functools.lru_cache(maxsize=16)  # a caller that looks for a false calculation wants the key of the same text next
def calculations(text: str) -> tuple[Calculation, ...]:
    """The calculations stated in a text, in order; equations without any operation are left out.

    >>> [(c.left, c.right, c.holds) for c in calculations("They pay 3 * $4 = $12, so 20 - 12 = 9 is left.")]
    [('3 * $4', '$12', True), ('20 - 12', '9', False)]
    """
    outside = _MARK.sub(lambda mark: " " * len(mark[0]), text)
    found = [c for mark in _MARK.finditer(text) for c in _stated(text, text, *mark.span(1))]
    start = 0
    for end in [*(match.start() for match in _END.finditer(outside)), len(text)]:
        found += _stated(text, outside, start, end)
        start = end + 1
    return tuple(sorted(found, key=lambda calculation: calculation.start))


def false_calculation(text: str) -> Calculation | None:
    """The first calculation that does not hold, if any."""
    return next((calculation for calculation in calculations(text) if calculation.holds is False), None)


def calculation_key(text: str) -> tuple[str, ...]:
    """The ordered equations of a text, each in one spelling: duplicates share it (RFT, Yuan et al. 2023, section 3.3).

    An equation that directly repeats the one before it, as calculator marks do, counts once.
    """
    return tuple(key for key, _ in groupby(calculation.key for calculation in calculations(text)))


def _stated(text: str, shown: str, start: int, end: int) -> Iterator[Calculation]:
    """The links of the equations in one sentence; `shown` is the text with its calculator marks blanked out."""
    if "=" not in shown[start:end]:
        return
    sides: list[list[Token]] = [[]]
    for token in tokens_of(shown, start, end):
        if token.kind == "equal":
            sides.append([])
        else:
            sides[-1].append(token)
    for before, after in pairwise(sides):
        left, right = trailing(before), leading(after)
        if left and right and (left.expression.operations or right.expression.operations):
            sources = text[left.start : left.end], text[right.start : right.end]
            key = f"{left.expression.key}={right.expression.key}"
            yield Calculation(*sources, _holds(left, right), left.start, right.end, key)


def _holds(left: Side, right: Side) -> bool | None:
    a, b = left.expression, right.expression
    if None in (*a.values, *b.values):
        return None
    link: Expression | None = b
    while link is not None:
        if _equal(a, link):
            return True
        link = link.begins
    certain = a.operations and not (left.doubtful or right.doubtful or a.mixes_percent or b.mixes_percent)
    return False if certain and not _whole_part(a, b) and not _convertible(left.units, right.units) else None


def _equal(a: Expression, b: Expression) -> bool:
    """Whether two sides are equal under some reading of their percent signs.

    A single number on the right may be rounded, or cut to the decimals that it shows.
    """
    for value in a.values:
        for other, places in zip(b.values, (b.places + 2 * b.percent, b.places), strict=True):
            assert value is not None and other is not None
            difference = abs(value - other)
            unit = Fraction(1, 10**places)
            if not difference or (not b.operations and (difference <= unit / 2 or (places and difference < unit))):
                return True
    return False


def _whole_part(a: Expression, b: Expression) -> bool:
    """Whether the right side is a whole number next to the left one, as in how many boxes are full."""
    return any(
        v is not None and w is not None and w.denominator == 1 and abs(v - w) < 1
        for v, w in zip(a.values, b.values, strict=True)
    )


def _convertible(left: frozenset[str], right: frozenset[str]) -> bool:
    """Whether different units of one dimension occur, so that one may have been converted into the other."""
    a, b = ({_singular(unit) for unit in units} & _DIMENSIONS.keys() for units in (left, right))
    return a != b and len({_DIMENSIONS[unit] for unit in a | b}) < len(a | b)


def _singular(unit: str) -> str:
    return unit if unit in _DIMENSIONS else unit.removesuffix("s")
