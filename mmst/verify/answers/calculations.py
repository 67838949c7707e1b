"""The calculations that a rationale states, and whether they hold.

Values are exact fractions. What is written decides nothing that a careful reader would not hold against the writer:
a result may be rounded or cut to the places that it shows, percent may mean a hundredth or points, a chain may go on
from a result (`3 + 4 = 7 + 2 = 9`), units may be converted. Where that leaves doubt, a calculation is neither true
nor false.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

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
_KIND_OF_UNIT = {word: kind for kind, words in _CONVERTIBLE.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class Calculation:
    """An equation as it stands in a text: both sides as written, whether it holds (none: can't be told), its
    half-open span [start, end) in characters, and `key`, its one spelling without units and white space."""

    left: str
    right: str
    holds: bool | None
    start: int
    end: int
    key: str


@functools.lru_cache(maxsize=16)
def calculations(text: str) -> tuple[Calculation, ...]:
    """The calculations stated in a text, in their order. An equation without any operation is none.

    Of the last texts they are remembered: who asks for a false one asks next for the key.

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
    """The first calculation that does not hold; none where there is none."""
    return next((calculation for calculation in calculations(text) if calculation.holds is False), None)


def calculation_key(text: str) -> tuple[str, ...]:
    """The ordered list of equations, in one spelling: what duplicates share (RFT, Yuan et al. 2023, section 3.3).

    An equation that directly repeats the one before it, as calculator marks do, counts once.
    """
    keys = [calculation.key for calculation in calculations(text)]
    return tuple(key for number, key in enumerate(keys) if number == 0 or keys[number - 1] != key)


def _stated(text: str, shown: str, start: int, end: int) -> Iterator[Calculation]:
    """The links of the equations in one sentence; `shown` is the text with what is not to be read blanked out."""
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
        if left is None or right is None or not (left.expression.operations or right.expression.operations):
            continue
        yield Calculation(
            text[left.start : left.end],
            text[right.start : right.end],
            _holds(left, right),
            left.start,
            right.end,
            f"{left.expression.key}={right.expression.key}",
        )


def _holds(left: Side, right: Side) -> bool | None:
    a, b = left.expression, right.expression
    if None in (*a.values, *b.values):
        return None
    going_on: Expression | None = b
    while going_on is not None:
        if _equal(a, going_on):
            return True
        going_on = going_on.begins
    certain = a.operations and not (left.doubtful or right.doubtful or a.mixes_percent or b.mixes_percent)
    return False if certain and not _whole_part(a, b) and not _convertible(left.units, right.units) else None


def _equal(a: Expression, b: Expression) -> bool:
    """Whether two sides are equal under some reading of their percent signs; a single number may be rounded, or cut
    to the decimals that it shows."""
    for value in a.values:
        for other, places in zip(b.values, (b.places + 2 * b.percent, b.places), strict=True):
            assert value is not None and other is not None
            difference = abs(value - other)
            unit = Fraction(1, 10**places)
            if not difference or (not b.operations and (difference <= unit / 2 or (places and difference < unit))):
                return True
    return False


def _whole_part(a: Expression, b: Expression) -> bool:
    """Whether a side that is no whole number is followed by a whole one next to it: how many boxes are full."""
    return any(
        v is not None and w is not None and w.denominator == 1 and abs(v - w) < 1
        for v, w in zip(a.values, b.values, strict=True)
    )


def _convertible(left: frozenset[str], right: frozenset[str]) -> bool:
    """Whether units of one kind differ, so that one may have been converted into the other."""
    a, b = ({_singular(unit) for unit in units} & _KIND_OF_UNIT.keys() for units in (left, right))
    return a != b and len({_KIND_OF_UNIT[unit] for unit in a | b}) < len(a | b)


def _singular(unit: str) -> str:
    return unit if unit in _KIND_OF_UNIT else unit.removesuffix("s")
