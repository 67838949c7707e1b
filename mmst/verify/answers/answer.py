"""The records that this package hands out: an answer, where it was found, how two of them compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


class Unreadable(ValueError):
    """Inside this package: the text is no answer that we understand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in canonical form.

    text: what was read, trimmed.
    kind: number, percent, complex, symbolic, equation, relation, tuple, list, set, interval, matrix, ratio, time,
        based, choice, boolean, text, or opaque (mathematics that only Math-Verify may understand).
    key: equal answers have the same key; votes are counted by it.
    """

    text: str
    kind: str
    key: str
    parts: tuple[Answer, ...] = field(default=(), compare=False, repr=False)
    """The members of a collection in the order in which they were written."""
    places: int = field(default=-1, compare=False, repr=False)
    """Decimals printed, where the answer is a plain decimal; -1 where it is exact."""
    digits: int = field(default=0, compare=False, repr=False)
    """Significant digits printed, where the answer is a plain decimal."""
    other: str = field(default="", compare=False, repr=False)
    """A second reading: the key of the equation for `y = 2x`, of the decimal for `1,22`."""
    form: str = field(default="", compare=False, repr=False)
    """How a collection was written: `()`, `[]`, `{}`, or empty for a bare list; `names` for `a = 1, b = 2`."""

    @property
    def number(self) -> Fraction | None:
        """The value that the key of a number names; None for any other key, infinity included."""
        try:
            return Fraction(self.key)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Found:
    """An answer and the half-open span [start, end) of the text, in characters, that states it."""

    answer: Answer
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two answers are equal; None is undecided. The reason is always given."""

    equal: bool | None
    reason: str
