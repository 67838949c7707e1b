"""Transfer: the checkpoints of an experiment on a related task that no arm trains on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmst.config import Config
from mmst.evaluation import figures_of
from mmst.methods import cascade_order, methods_of
from mmst.progress import Reporter
from mmst.records import Problem
from mmst.runs.directory import Commit, RunDirectory
from mmst.stages.context import StageContext
from mmst.stages.evaluate import answer_all, outcomes_of
from mmst.stages.runtime import Runtime


def measure_transfer(
    config: Config, problems: list[Problem], checkpoints: Mapping[str, Path], report: Reporter
) -> dict[str, dict[str, Any]]:
    """The figures of every checkpoint, by name. One engine loads them in turn, so they need one architecture and one
    tokenizer; arms that share round 0 have that."""
    methods = methods_of(config)
    order = cascade_order(methods, config.evaluation.cascade)
    found = {}
    with TemporaryDirectory() as scratch, Runtime(config, methods, report) as runtime:
        context = StageContext(config, RunDirectory(Path(scratch)), {}, methods, runtime, report)
        for name, checkpoint in checkpoints.items():
            rows = answer_all(context, context.solver(checkpoint, Commit()), problems, 0, "transfer")
            found[name] = figures_of(outcomes_of(rows, problems), config.methods, order=order)
    return found
