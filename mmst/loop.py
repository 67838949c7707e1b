"""The algorithm: Multi-Method Self-Training (MMST, Upadhyay & Ginsberg 2023, section 3).

    round 0   train on the annotated solutions, or start from a model that can already solve some problems
    round r   generate     solve every train problem by every method, k samples each; verify each solution
              filter       label each problem; keep the solutions that agree with the label
              rationalize  optional: solve again, with the answer given, problems of which nothing was kept (STaR)
              translate    rewrite kept solutions into the other methods, with the same model; verify those too
              train        on annotated solutions and the pool of all rounds
              evaluate     every method, and votes over methods, on dev and test problems
              promote      keep the new checkpoint if it is better on dev; stop when rounds no longer help

Every stage reads files and writes files, and is done when its manifest exists. To resume, the loop runs the first
stage that has no manifest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mmst.config import Config
from mmst.errors import InputError
from mmst.methods import methods_of
from mmst.problems.sets import read_sets
from mmst.progress import Reporter
from mmst.runs.directory import OnCommit, RoundDirectory, nothing
from mmst.runs.live import Live
from mmst.runs.opening import check_resumable, opened
from mmst.runs.retention import remove_checkpoints, superfluous
from mmst.runs.space import check_space, clear_disk_errors
from mmst.runs.stages import stages_in, stages_of
from mmst.runs.status import round_line, stop_reason, write_rounds
from mmst.stages.context import StageContext
from mmst.stages.evaluate import evaluate
from mmst.stages.filter import filter_solutions, refuse_nothing_kept
from mmst.stages.generate import generate
from mmst.stages.prepare import check_settings, prepare
from mmst.stages.promote import promote
from mmst.stages.rationalize import rationalize
from mmst.stages.runtime import Runtime
from mmst.stages.train import train
from mmst.stages.translate import translate
from mmst.tracking import Figures

STAGES: dict[str, Callable[[StageContext, RoundDirectory], None]] = {
    "generate": generate,
    "filter": filter_solutions,
    "rationalize": rationalize,
    "translate": translate,
    "train": train,
    "evaluate": evaluate,
    "promote": promote,
}
OnRound = Callable[[RoundDirectory, Callable[[str], None]], object]
"""Called with each finished round and a function that prints a line; writes the round's page."""


def self_train(
    config: Config, root: Path, report: Reporter, on_round: OnRound | None = None, on_commit: OnCommit = nothing
) -> str:
    """Run the loop in a run directory, or resume it there, until it ends. Returns why it ended.

    Raises InputError for bad problems, a missing model, a directory that holds another run, and a round that kept no
    solution.
    """
    methods = methods_of(config)
    check_settings(config)
    sets = None if check_resumable(root, config) else read_sets(config.problems, config.seed)
    with opened(root, config, report.line, on_commit) as run:
        problems = prepare(run, config, sets, report)
        for path, fault in run.gaps(lambda number: stages_in(run, config, number)):
            raise InputError(f"{path}: {fault}; restore it, or remove the manifests of all stages after it")
        if reason := stop_reason(run, config.rounds.max, config.rounds.patience):
            return f"nothing to do: {reason}"
        with (
            Runtime(config, methods, report, root) as runtime,
            closing(Figures(run, config.tracking, report.line)) as figures,
        ):
            report.live = Live(run.root, runtime.resources, figures.progress)
            context = StageContext(config, run, problems, methods, runtime, report, figures)
            number = 0
            while not (reason := stop_reason(run, config.rounds.max, config.rounds.patience)):
                round_ = run.round(number)
                if not round_.done("promote"):
                    with clear_disk_errors(run, check_space(run, config, len(problems["train"]), number)):
                        do_round(context, round_)
                        if on_round:
                            on_round(round_, report.line)
                    report.line(round_line(round_))
                    if config.rounds.keep is not None:
                        remove_checkpoints(run, superfluous(run, config.rounds.keep))
                number += 1
            return reason


def do_round(context: StageContext, round_: RoundDirectory) -> None:
    """Run the stages of a round that are not done yet."""
    stages = stages_of(context.config, round_.number)
    for name in stages:
        if not round_.done(name):
            context.report.line(f"round {round_.number}: {name}")
            if context.report.live:
                context.report.live.stage(round_.number, name)
            STAGES[name](context, round_)
            write_rounds(context.run)
            context.figures.stage(round_, name)
        if name == ("rationalize" if "rationalize" in stages else "filter"):
            refuse_nothing_kept(round_)
