"""The four sets of problems of a run, from files or synthetic: split, and without overlap."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from mmst.config import ProblemsConfig
from mmst.errors import InputError
from mmst.problems.read import derive_views, read_problems
from mmst.problems.synthetic import make_sets
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


SETS = ("train", "dev", "test", "annotated")
Item = TypeVar("Item")


@dataclass(frozen=True)
class ProblemSets:
    """Rounds solve train problems and decide by dev problems; test problems are only reported; round 0 trains on the
    views of annotated problems. `removed` counts, by set, the problems removed because of an overlap."""

    train: list[Problem]
    dev: list[Problem]
    test: list[Problem]
    annotated: list[Problem]
    removed: dict[str, int] = field(default_factory=dict)

    def by_name(self) -> dict[str, list[Problem]]:
        """The sets by their names."""
        return {name: getattr(self, name) for name in SETS}


def read_sets(config: ProblemsConfig, seed: int) -> ProblemSets:
    """Read or make the sets. Raises InputError for bad input, a refused overlap, and an empty set."""
    if config.train is None:
        assert config.synthetic is not None
        made = make_sets(config.synthetic)
        return ProblemSets(made["train"], made["dev"], made["test"], made["annotated"])
    given = {name: _read(config, source) for name in SETS if (source := getattr(config, name)) is not None}
    if cut := {name: getattr(config.split, name) for name in ("dev", "test") if name not in given}:
        given |= split(given["train"], {"train": 1.0 - sum(cut.values()), **cut}, seed)
    given.setdefault("annotated", given["train"])
    sets, removed = _without_overlap(config, given)
    for name in ("train", "dev", "test"):
        if not sets[name]:
            why = f"all {removed[name]} overlap with dev or test problems" if name in removed else "the set is empty"
            raise InputError(f"problems.{name}: no problem is left: {why}; give a larger file or change problems.split")
    return ProblemSets(sets["train"], sets["dev"], sets["test"], sets["annotated"], removed)


def _read(config: ProblemsConfig, source: str) -> list[Problem]:
    problems = read_problems(
        source,
        fields=config.fields,
        answer_from=config.answer_from,
        hub_split=config.hub_split,
        limit=config.limit,
    )
    return [derive_views(problem) for problem in problems]


def _without_overlap(
    config: ProblemsConfig, sets: dict[str, list[Problem]]
) -> tuple[dict[str, list[Problem]], dict[str, int]]:
    """Remove dev and test problems from train and annotated, and test problems from dev."""
    if config.overlap == "allow":
        return sets, {}
    removed, result = {}, dict(sets)
    for name, others in (("dev", ["test"]), ("train", ["dev", "test"]), ("annotated", ["dev", "test"])):
        against = [problem for other in others for problem in result[other]]
        result[name] = remove_overlap(sets[name], against, config.overlap_ngram)
        if count := len(sets[name]) - len(result[name]):
            removed[name] = count
    if removed and config.overlap == "refuse":
        counts = ", ".join(f"{count} of problems.{name}" for name, count in removed.items())
        raise InputError(f"problems: overlap with dev or test problems: {counts}; see problems.overlap")
    return result, removed


def drawn_problems(train: Sequence[Item], wanted: int | None, seed: int, number: int) -> Sequence[Item]:
    """The `wanted` train problems of round `number`, drawn anew for every round; None takes all."""
    if wanted is None or wanted >= len(train):
        return train
    chosen = random.Random(f"{seed}:problems:{number}").sample(range(len(train)), wanted)
    return [train[index] for index in sorted(chosen)]
