"""The stages of a round: their names, their order, and which of them a round has."""

from __future__ import annotations

from mmst.config import Config
from mmst.runs.directory import RunDirectory
from mmst.runs.forks import asked_before_fork

STAGES = ("generate", "filter", "rationalize", "translate", "train", "evaluate", "promote")
"""Every stage, in the order of a round. Manifests, progress and pages use these names."""
KEEPING = {"filter": "native", "rationalize": "rationalized", "translate": "translated"}
"""The stages that decide which solutions are kept, with the name of the solutions that they decide about."""


def stages_of(config: Config, number: int) -> list[str]:
    """The stages of round `number` of a run with this configuration."""
    skipped = set()
    if not number:
        skipped = {"generate", *KEEPING} | (set() if trains_first(config) else {"train"})
    if not config.rounds.generate:
        skipped |= {"generate", *KEEPING}
    if not config.hint.enabled:
        skipped.add("rationalize")
    if not config.translate.enabled or len(config.methods) == 1:
        skipped.add("translate")
    return [stage for stage in STAGES if stage not in skipped]


def stages_in(run: RunDirectory, config: Config, number: int) -> list[str]:
    """The stages of a round of an existing run, whose rounds before a fork had another configuration."""
    return stages_of(asked_before_fork(run.root, number) or config, number)


def trains_first(config: Config) -> bool:
    """Whether round 0 trains: on annotated solutions, or because a model from scratch cannot solve anything yet."""
    return config.round0.enabled or config.model.path is None
