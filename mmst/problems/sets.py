"""The four sets of problems of a run, from files or made, never mixed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from mmst.config import ProblemsConfig
from mmst.errors import InputError
from mmst.problems.read import derive_views, read_problems
from mmst.problems.splits import remove_overlap, split
from mmst.problems.synthetic import make_sets
from mmst.records import Problem

SETS = ("train", "dev", "test", "annotated")


@dataclass(frozen=True)
class ProblemSets:
    """Train is what rounds solve, dev decides, test is only reported, annotated feeds round 0. `removed` counts the
    problems that were taken out of a set because a set that verifiers it has the same question."""

    train: list[Problem]
    dev: list[Problem]
    test: list[Problem]
    annotated: list[Problem]
    removed: dict[str, int] = field(default_factory=dict)

    def by_name(self) -> dict[str, list[Problem]]:
        """The sets by their names."""
        return {name: getattr(self, name) for name in SETS}


def read_sets(config: ProblemsConfig, seed: int) -> ProblemSets:
    """Read or make the sets. Raises InputError for bad input, an overlap that is refused, and an empty set."""
    if config.train is None:
        assert config.synthetic is not None
        made = make_sets(config.synthetic)
        return ProblemSets(made["train"], made["dev"], made["test"], made["annotated"])
    given = {name: _read(config, getattr(config, name)) for name in SETS if getattr(config, name) is not None}
    missing = {name: getattr(config.split, name) for name in ("dev", "test") if name not in given}
    if missing:
        parts = split(given["train"], {"train": 1.0 - sum(missing.values()), **missing}, seed)
        given |= parts
    given.setdefault("annotated", given["train"])
    sets, removed = _without_overlap(config, given)
    for name in ("train", "dev", "test"):
        if not sets[name]:
            raise InputError(
                f"problems.{name}: no problem is left; give a larger file or other shares in problems.split"
            )
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
    """Take what dev and test verify out of what is learned from, and what test verifiers out of dev."""
    if config.overlap == "allow":
        return sets, {}
    removed, result = {}, dict(sets)
    for name, against in (("dev", ["test"]), ("train", ["dev", "test"]), ("annotated", ["dev", "test"])):
        verified = [problem for other in against for problem in result[other]]
        result[name] = remove_overlap(sets[name], verified, config.overlap_ngram)
        if count := len(sets[name]) - len(result[name]):
            removed[name] = count
    if removed and config.overlap == "refuse":
        counts = ", ".join(f"{count} of problems.{name}" for name, count in removed.items())
        raise InputError(f"problems: {counts} are also in a set that verifiers them; see problems.overlap")
    return result, removed


Item = TypeVar("Item")


def drawn_problems(train: Sequence[Item], wanted: int | None, seed: int, number: int) -> Sequence[Item]:
    """So many of the train problems, drawn anew for every round; all where none says how many."""
    if wanted is None or wanted >= len(train):
        return train
    chosen = random.Random(f"{seed}:problems:{number}").sample(range(len(train)), wanted)
    return [train[index] for index in sorted(chosen)]
