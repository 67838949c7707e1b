"""The records that this package returns: an answer, where it was found, how two of them compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


class Unreadable(ValueError):
    """Inside this package: the text is not an answer that we understand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in canonical form. Two answers are `==` if text, kind and key are.

    text: the text that was read, trimmed.
    kind: number, percent, complex, symbolic, equation, relation, tuple, list, set, interval, matrix, ratio, time,
        based, choice, boolean, text, or opaque (mathematics that only Math-Verify may understand).
    key: canonical; equal answers have the same key, and votes are counted by it.
    """

    text: str
    kind: str
    key: str
    parts: tuple[Answer, ...] = field(default=(), compare=False, repr=False)
    """The members of a collection in the order in which they were written."""
    places: int = field(default=-1, compare=False, repr=False)
    """Decimals printed, for a plain decimal; -1 for an exact answer."""
    digits: int = field(default=0, compare=False, repr=False)
    """Significant digits printed, for a plain decimal; 0 for an exact answer."""
    other: str = field(default="", compare=False, repr=False)
    """A second reading: the key of the equation for `y = 2x`, of the decimal for `1,22`."""
    form: str = field(default="", compare=False, repr=False)
    """How a collection was written: `()`, `[)`, `{}`, ... or empty for a bare list; `<>` for a vector, `∪` for a
    union, `names` for `a = 1, b = 2`. For a time, `a` or `p` if it says am or pm."""

    @property
    def number(self) -> Fraction | None:
        """The value that the key of a number names; None for any other key, infinity included."""
        try:
            return Fraction(self.key)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Found:
    """An answer and the half-open span [start, end) of the text that states it, in characters."""

    answer: Answer
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two answers are equal: True, False, or None for undecided. The reason is never empty."""

    equal: bool | None
    reason: str
