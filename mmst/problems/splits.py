"""Seeded splits, overlap between sets, and what is new in a test problem."""

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
    """Cut a set into several, by name and share of the problems.

    Where a problem goes depends on its id and the seed only, not on the order of the file. Each part keeps the order;
    the last one gets what rounding leaves.
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
    """A question without case, punctuation, and the spaces between words (tokenized data sets write `did n't`)."""
    return re.sub(r"(?<=[^\W\d]) (?=[^\W\d])", "", " ".join(_words(question)))


def _words(question: str) -> list[str]:
    return _WORD.findall(question.casefold())


def remove_overlap(problems: Iterable[Problem], against: Iterable[Problem], ngram: int | None = None) -> list[Problem]:
    """The problems that are not in `against`: no equal question and, with `ngram`, no `ngram` consecutive words in
    common (13 in ToRA and TinyGSM)."""
    questions: set[str] = set()
    runs: set[int] = set()
    for other in against:
        questions.add(normalised(other.question))
        runs.update(_ngrams(other.question, ngram))
    return [
        problem
        for problem in problems
        if normalised(problem.question) not in questions and runs.isdisjoint(_ngrams(problem.question, ngram))
    ]


def _ngrams(question: str, length: int | None) -> Iterator[int]:
    if length is not None:
        words = _words(question)
        for start in range(len(words) - length + 1):
            yield hash(" ".join(words[start : start + length]))


def numbers_of(problem: Problem) -> tuple[str, ...]:
    """The numbers of a problem, sorted: `meta["numbers"]` if given, else those in its question."""
    stated = problem.meta.get("numbers")
    if stated is None:
        stated = (Fraction(text.replace(",", "")) for text in _NUMBER.findall(problem.question))
    return tuple(sorted(map(str, stated)))


def phrasing_of(problem: Problem) -> str:
    """The phrasing of a problem: `meta["phrasing"]` if given, else its question with masked numbers."""
    return str(problem.meta.get("phrasing") or normalised(_NUMBER.sub("0", problem.question)))


@dataclass(frozen=True)
class Known:
    """The number combinations and phrasings of the problems that a model may have learned from."""

    numbers: frozenset[tuple[str, ...]]
    phrasings: frozenset[str]

    @classmethod
    def from_problems(cls, problems: Sequence[Problem]) -> Known:
        """Everything that occurs in these problems."""
        return cls(frozenset(map(numbers_of, problems)), frozenset(map(phrasing_of, problems)))


def slices(problem: Problem, known: Known | None = None) -> set[str]:
    """The groups of problems with figures of their own: `steps_<n>`, and with `known` also `new_numbers` and
    `new_phrasing`.

    The number of steps is `meta["steps"]` if given, else that of annotated sub-questions.
    """
    found = set()
    stated = problem.meta.get("steps")
    steps = stated if isinstance(stated, int) else len(problem.views.get("socratic") or ()) or None
    if steps is not None:
        found.add(f"steps_{steps}")
    if known is not None:
        numbers = numbers_of(problem)
        if numbers and numbers not in known.numbers:
            found.add("new_numbers")
        if phrasing_of(problem) not in known.phrasings:
            found.add("new_phrasing")
    return found
