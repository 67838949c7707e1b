"""The whole algorithm (MMST, Upadhyay & Ginsberg 2023, as in the design): read this page to know what mmst does.

    round 0   train on the views that came with the data, or start from a model that already can
    round r   generate   every train problem, by every method, several times, with the current model or a teacher
              filter     label each problem; keep what agrees with the label, once
              hint       ask again, with the answer, for what nothing was kept of
              translate  rewrite what one method got right into the others, with the same model
              train      on views and everything kept so far
              evaluate   every method, and votes of them, on dev and test problems
              promote    or keep the older model; stop when rounds no longer help

Every stage reads files and writes files, and is done when its manifest stands. Resuming is nothing else than doing
the first stage that has no manifest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mmst.config import Config, ModelConfig, TeacherConfig
from mmst.errors import InputError
from mmst.methods import methods_of
from mmst.problems.sets import read_sets
from mmst.progress import Reporter
from mmst.runs.directory import RoundDirectory, RunDirectory
from mmst.runs.ending import stop_reason
from mmst.runs.live import Live
from mmst.runs.opening import asked_before_fork, check_resumable, opened
from mmst.runs.retention import remove_checkpoints, superfluous
from mmst.runs.space import check_space, clear_disk_errors
from mmst.runs.status import round_line, write_rounds
from mmst.stages.evaluate import evaluate
from mmst.stages.filter import filter_
from mmst.stages.generate import generate
from mmst.stages.hint import hint
from mmst.stages.job import Job
from mmst.stages.prepare import prepare
from mmst.stages.promote import promote
from mmst.stages.services import Services
from mmst.stages.train import train
from mmst.stages.translate import translate
from mmst.tracking import Figures

Stage = Callable[[Job, RoundDirectory], None]


def self_train(config: Config, root: Path, report: Reporter) -> str:
    """Run the loop in a run directory, or go on with it, until it ends; returns why it ended.

    Raises InputError for what the user gave: problems, model, a directory that holds something else, and a filter
    that kept nothing.
    """
    methods = methods_of(config)
    check_model(config.model)
    check_teacher(config.teacher)
    sets = None if check_resumable(root, config) else read_sets(config.problems, config.seed)
    with opened(root, config, report.line) as run:
        problems = prepare(run, config, sets, report)
        rounds = config.rounds
        for path, fault in run.gaps(lambda number: stage_names(run, config, number)):
            raise InputError(f"{path}: {fault}; restore it, or remove the manifests of all stages after it")
        if reason := stop_reason(run, rounds.max, rounds.patience):
            return f"nothing to do: {reason}"
        with (
            Services(config, methods, report, root) as services,
            closing(Figures(run, config.tracking, report.line)) as figures,
        ):
            report.live = Live(run.root, services.resources, figures.progress)
            job = Job(config, run, problems, methods, services, report, figures)
            number = 0
            while not (reason := stop_reason(run, rounds.max, rounds.patience)):
                if run.round(number).done("promote"):
                    number += 1
                    continue
                needed = check_space(run, config, len(problems["train"]), number)
                with clear_disk_errors(run, needed):
                    do_round(job, run.round(number))
                if rounds.keep is not None:
                    remove_checkpoints(run, superfluous(run, rounds.keep))
            return reason


def do_round(job: Job, round_: RoundDirectory) -> None:
    """Do the stages of a round that are not done yet."""
    for stage in stages_of(job.config, round_.number):
        name = _name(stage)
        if not round_.done(name):
            job.report.line(f"round {round_.number}: {name}")
            if job.report.live:
                job.report.live.stage(round_.number, name)
            stage(job, round_)
            write_rounds(job.run)
            job.figures.stage(round_, name)
        if name == ("hint" if job.config.hint.enabled else "filter"):
            refuse_nothing(round_)
    if job.report.page:
        job.report.page(round_, job.report.line)
    job.report.line(round_line(round_))


def stages_of(config: Config, number: int) -> list[Stage]:
    """What a round consists of."""
    if number == 0:
        return [train, evaluate, promote] if trains_first(config) else [evaluate, promote]
    if not config.rounds.generate:
        return [train, evaluate, promote]
    hints: list[Stage] = [hint] if config.hint.enabled else []
    translations: list[Stage] = [translate] if config.translate.enabled and len(config.methods) > 1 else []
    return [generate, filter_, *hints, *translations, train, evaluate, promote]


def stage_names(run: RunDirectory, config: Config, number: int) -> list[str]:
    """The stages of a round of a run; those from before a fork were asked for by another configuration."""
    return [_name(stage) for stage in stages_of(asked_before_fork(run.root, number) or config, number)]


def _name(stage: Stage) -> str:
    return stage.__name__.rstrip("_")


def trains_first(config: Config) -> bool:
    """Whether round 0 trains: on views, or because a model from scratch knows nothing yet."""
    return config.round0.enabled or config.model.path is None


def check_model(model: ModelConfig) -> None:
    """Refuse a base model that is a path without a model or without a tokenizer; a hub id is looked up later."""
    _check_path("model.path", model.path)


def check_teacher(teacher: TeacherConfig | None) -> None:
    """Refuse a teacher that is a path without a model, or whose key is not there."""
    if teacher is not None:
        _check_path("teacher.path", teacher.path)
        if teacher.endpoint is not None:
            from mmst.engine.endpoint import key_of

            key_of(teacher.endpoint)


def _check_path(field: str, given: str | None) -> None:
    if given is None or (not Path(given).exists() and not given.startswith((".", "/", "~"))):
        return
    path = Path(given).expanduser()
    if not (path / "config.json").is_file():
        raise InputError(f"{field}: {path} is no Hugging Face model directory (it has no config.json)")
    if not any((path / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")):
        raise InputError(f"{field}: {path} has no tokenizer; save it beside the model")


def refuse_nothing(round_: RoundDirectory) -> None:
    """A round that kept nothing has nothing to teach: say why, and stop."""
    figures = round_.figures("filter")
    if figures["kept"] + round_.figures("hint").get("kept", 0) == 0:
        why = ", ".join(f"{count} {reason}" for reason, count in figures["reasons"].items())
        raise InputError(
            f"round {round_.number} kept nothing of {figures['solutions']} solutions ({why}). Look at "
            f"{round_.fates}; a model that solves no problem, a wrong answer field or a too strict `filter` are usual."
        )
