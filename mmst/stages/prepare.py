"""Prepare: write the problems of a run into it once; later starts read them from there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mmst.config import Config, ModelConfig, TaskLimit
from mmst.errors import InputError
from mmst.files import checksum, new_file, write_json
from mmst.foreign import read_json
from mmst.methods import METHODS
from mmst.methods.prompts import PromptFormat
from mmst.methods.socratic import DECOMPOSE, SOLVE
from mmst.model_directory import check_model_directory
from mmst.problems.read import read_problems, write_problems
from mmst.problems.sets import SETS, ProblemSets, read_sets
from mmst.progress import Reporter
from mmst.records import Problem
from mmst.runs.directory import RunDirectory, file_fault
from mmst.runs.manifests import Problems
from mmst.stages.train import view_rows


def check_settings(config: Config) -> None:
    """Refuse a missing model or teacher, settings that contradict each other, and mixtures with unknown tasks."""
    check_model(config.model)
    if config.teacher is not None:
        _check_path("teacher.path", config.teacher.path)
        if config.teacher.endpoint is not None:
            config.teacher.endpoint.key()
    if config.model.path is None and not config.round0.enabled:
        raise InputError("round0.enabled: a model from scratch must train in round 0; enable it or give a model.path")
    tasks = {*METHODS, *(f"{a}->{b}" for a in METHODS for b in METHODS if a != b), DECOMPOSE, SOLVE}
    for field, mixture in (("training", config.training.mixture), ("round0", config.round0.mixture or {})):
        for name in mixture:
            if name not in tasks:
                raise InputError(f"{field}.mixture: there is no task `{name}`; expected a method or a pair `pot->cot`")
    context = _context(config)
    for name, most in (("sampling", config.sampling.max_tokens), ("evaluation", config.evaluation.max_tokens)):
        if context is not None and most is not None and most >= context:
            raise InputError(f"{name}.max_tokens: {most} leaves no room for a prompt in a context of {context} tokens")


def check_model(model: ModelConfig) -> None:
    """Refuse a path without a model or without a tokenizer. A hub id is checked when it is downloaded."""
    _check_path("model.path", model.path)


def check_problems(config: Config, sets: ProblemSets) -> None:
    """Refuse problems that the rounds cannot use: no views for a task of round 0, no answers for labels."""
    zero = config.round0
    if zero.enabled:
        for task, limit in (zero.tasks or {view: TaskLimit() for view in zero.views or config.methods}).items():
            next(view_rows(sets.annotated, {task: limit}, PromptFormat(), config.seed, show_question=True), None)
    solves = config.rounds.max > 0 and config.rounds.generate
    if solves and config.filter.label == "gold" and all(problem.answer is None for problem in sets.train):
        raise InputError("filter.label: gold needs reference answers, but no train problem has one; use agreement")


def _context(config: Config) -> int | None:
    """The longest sequence of the model in tokens; None for a model that is not on this machine."""
    limits = [config.engine.max_model_len]
    if config.model.path is None:
        limits.append(config.model.scratch.context)
    elif (sizes := Path(config.model.path).expanduser() / "config.json").is_file():
        limits.append(json.loads(sizes.read_text()).get("max_position_embeddings"))
    return min((limit for limit in limits if limit), default=None)


HUB_ID = r"[A-Za-z0-9][\w.-]*(/[\w.-]*[A-Za-z0-9])?"
"""`name` or `owner/name`; anything else is a path."""


def _check_path(field: str, given: str | None) -> None:
    if given is not None and (Path(given).exists() or not re.fullmatch(HUB_ID, given)):
        path = Path(given).expanduser()
        check_model_directory(path, f"{field}: {path}")


def prepare(run: RunDirectory, config: Config, sets: ProblemSets | None, report: Reporter) -> dict[str, list[Problem]]:
    """Write the sets as `problems/*.jsonl`, or read those of the run if `sets` is None. Returns them by name."""
    manifest = run.problems / "manifest.json"
    if not manifest.exists() and run.rounds():
        raise InputError(f"{manifest}: is missing, though rounds have begun; restore it or begin a new run")
    if sets is None and manifest.exists():
        return _read(run)
    sets = sets or read_sets(config.problems, config.seed)
    run.problems.mkdir(exist_ok=True)
    parts = []
    for name, problems in sets.by_name().items():
        path = run.problems / f"{name}.jsonl"
        with new_file(path) as temporary:
            write_problems(temporary, problems)
        parts.append({"path": path.name, "rows": len(problems), "checksum": checksum(path)})
    write_json(manifest, {"parts": parts, "removed": sets.removed})
    counts = ", ".join(f"{len(problems):,} {name}" for name, problems in sets.by_name().items())
    removed = "".join(f"; {count} of {name} removed as overlap" for name, count in sets.removed.items())
    report.line(f"problems: {counts}{removed}")
    return sets.by_name()


def _read(run: RunDirectory) -> dict[str, list[Problem]]:
    """The problems that the run began with. Raises InputError if they were modified since."""
    manifest = run.problems / "manifest.json"
    try:
        parts = {part.path: part.checksum for part in read_json(manifest, Problems).parts}
    except InputError as error:
        raise InputError(f"{error}; restore it or begin a new run") from error
    for name, expected in parts.items():
        if fault := file_fault(run.problems / name, expected):
            raise InputError(f"{run.problems / name}: {fault}; restore it or begin a new run")
    paths = {name: run.problems / f"{name}.jsonl" for name in SETS}
    return {name: read_problems(str(path)) if path.stat().st_size else [] for name, path in paths.items()}
