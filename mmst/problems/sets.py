"""The four sets of problems of a run, from files or synthetic, without overlap."""

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
