"""Does what a model taught itself carry over? Its checkpoints on a related task that no round has seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmst.config import Config
from mmst.evaluation import figures_of
from mmst.methods import cascade_order, methods_of
from mmst.problems.record import Problem
from mmst.progress import Reporter
from mmst.runs.directory import Commit, RunDirectory
from mmst.stages.evaluate import answer_all, outcomes_of
from mmst.stages.job import Job
from mmst.stages.services import Services


def measure_transfer(
    config: Config, problems: list[Problem], checkpoints: Mapping[str, Path], report: Reporter
) -> dict[str, dict[str, Any]]:
    """The figures of every checkpoint on the problems, by its name; one engine holds them in turn.

    The checkpoints must be of one architecture with one tokenizer, as those of arms that share round 0 are.
    """
    methods = methods_of(config)
    order = cascade_order(methods, config.evaluation.cascade)
    found = {}
    with TemporaryDirectory() as scratch, Services(config, methods, report) as services:
        job = Job(config, RunDirectory(Path(scratch)), {}, methods, services, report)
        for name, checkpoint in checkpoints.items():
            rows = answer_all(job, job.solver_for(checkpoint, Commit()), problems, 0, "transfer")
            found[name] = figures_of(outcomes_of(rows, problems), config.methods, order=order)
    return found
