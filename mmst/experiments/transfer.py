"""Transfer: the checkpoints of an experiment on a related task that no arm trains on."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from mmst.evaluation import figures_of
from mmst.experiments.definition import Experiment
from mmst.experiments.results import TRANSFER
from mmst.files import write_json
from mmst.methods import cascade_order, methods_of
from mmst.problems.sets import read_sets
from mmst.progress import Reporter
from mmst.runs.directory import Commit, RoundDirectory, RunDirectory
from mmst.stages.context import StageContext
from mmst.stages.evaluate import answer_all, outcomes_of
from mmst.stages.runtime import Runtime


def measure_transfer(experiment: Experiment, directory: Path, seed: int, report: Reporter) -> None:
    """Write the figures of round 0 and of every arm's final checkpoint to `transfer.json` of the arms without one.

    One engine loads the checkpoints in turn; arms that share round 0 have one architecture and one tokenizer.
    """
    arms = [name for name in experiment.arms if not (directory / name / TRANSFER).exists()]
    if not arms:
        return
    report.line(f"seed {seed}, transfer")
    checkpoints = {"before": RunDirectory(directory / arms[0]).round(0).checkpoint}
    for name in arms:
        run = RunDirectory(directory / name)
        checkpoints[name] = run.root / last_round(run).figures("promote")["checkpoint"]
    config = experiment.config(experiment.control, seed, experiment.transfer)
    problems = read_sets(config.problems, config.seed).test
    methods = methods_of(config)
    order = cascade_order(methods, config.evaluation.cascade)
    found = {}
    with TemporaryDirectory() as scratch, Runtime(config, methods, report) as runtime:
        context = StageContext(config, RunDirectory(Path(scratch)), {}, methods, runtime, report)
        for name, checkpoint in checkpoints.items():
            rows = answer_all(context, context.solver(checkpoint.resolve(), Commit()), problems, 0, "transfer")
            found[name] = figures_of(outcomes_of(rows, problems), config.methods, order=order)
    for name in arms:
        write_json(directory / name / TRANSFER, {"before": found["before"], "after": found[name]})


def last_round(run: RunDirectory) -> RoundDirectory:
    """The last finished round of a run."""
    return [round_ for round_ in run.rounds() if round_.done("promote")][-1]
