"""Sets of problems that don't mix: a seeded split, overlaps, and what in a test problem is new."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mmst.records import Problem

_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")


def split(problems: Sequence[Problem], shares: Mapping[str, float], seed: int) -> dict[str, list[Problem]]:
    """Cut one set into several, by name and share of the problems.

    A problem's place follows from its id and the seed alone, so the order of the file doesn't matter; within each
    part the order is kept. The last name gets what rounding leaves.
    """

    def place(index: int) -> bytes:
        return hashlib.blake2b(f"{seed}:{problems[index].id}".encode(), digest_size=16).digest()

    order = sorted(range(len(problems)), key=place)
    total, parts, start, reached = sum(shares.values()), {}, 0, 0.0
    for name, share in shares.items():
        reached += share
        end = round(len(problems) * reached / total)
        parts[name] = [problems[index].model_copy(update={"split": name}) for index in sorted(order[start:end])]
        start = end
    return parts


def normalised(question: str) -> str:
    """A question without what makes no difference: case, punctuation, and the white space between its words, since
    tokenized data sets write `did n't`."""
    return re.sub(r"(?<=[^\W\d]) (?=[^\W\d])", "", " ".join(_words(question)))


def _words(question: str) -> list[str]:
    return _WORD.findall(question.casefold())


def remove_overlap(problems: Iterable[Problem], against: Iterable[Problem], ngram: int | None = None) -> list[Problem]:
    """The problems that are not also in `against`: no equal question and, with `ngram`, no shared run of so many
    words (13 in ToRA and TinyGSM)."""
    questions: set[str] = set()
    runs: set[int] = set()
    for other in against:
        questions.add(normalised(other.question))
        runs.update(_runs(other.question, ngram))
    return [
        problem
        for problem in problems
        if normalised(problem.question) not in questions and runs.isdisjoint(_runs(problem.question, ngram))
    ]


def _runs(question: str, length: int | None) -> Iterator[int]:
    if length is not None:
        words = _words(question)
        for start in range(len(words) - length + 1):
            yield hash(" ".join(words[start : start + length]))


def numbers_of(problem: Problem) -> tuple[str, ...]:
    """The numbers that a problem is about, sorted: `meta["numbers"]` where known, else those in its question."""
    stated = problem.meta.get("numbers")
    if stated is None:
        stated = (Fraction(text.replace(",", "")) for text in _NUMBER.findall(problem.question))
    return tuple(sorted(map(str, stated)))


def phrasing_of(problem: Problem) -> str:
    """How a problem is put: `meta["phrasing"]` where known, else its question with the numbers masked."""
    return str(problem.meta.get("phrasing") or normalised(_NUMBER.sub("0", problem.question)))


@dataclass(frozen=True)
class Known:
    """The number combinations and phrasings that a model may have learned from."""

    numbers: frozenset[tuple[str, ...]]
    phrasings: frozenset[str]

    @classmethod
    def from_problems(cls, problems: Iterable[Problem]) -> Known:
        """What the problems that rounds solve, and those with views, show."""
        pairs = [(numbers_of(problem), phrasing_of(problem)) for problem in problems]
        return cls(frozenset(numbers for numbers, _ in pairs), frozenset(phrasing for _, phrasing in pairs))


def steps_of(problem: Problem) -> int | None:
    """How many steps a problem takes: `meta["steps"]` where known, else its annotated sub-questions."""
    stated = problem.meta.get("steps")
    return stated if isinstance(stated, int) else len(problem.views.get("socratic") or ()) or None


def slices(problem: Problem, known: Known | None = None) -> set[str]:
    """What a problem is reported apart by: `steps_<n>`, and against what is known `new_numbers`, `new_phrasing`."""
    found = set()
    if (steps := steps_of(problem)) is not None:
        found.add(f"steps_{steps}")
    if known is None:
        return found
    numbers = numbers_of(problem)
    if numbers and numbers not in known.numbers:
        found.add("new_numbers")
    if phrasing_of(problem) not in known.phrasings:
        found.add("new_phrasing")
    return found
