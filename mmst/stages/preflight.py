"""Checks before a run, an evaluation or a dry run begins: models, settings, problems. All raise InputError."""

from __future__ import annotations

import json
from pathlib import Path

from mmst.config import Config, ModelConfig, TaskLimit
from mmst.errors import InputError
from mmst.methods import METHODS
from mmst.methods.prompts import PromptFormat
from mmst.methods.socratic import DECOMPOSE, SOLVE
from mmst.model_directory import check_model_directory
from mmst.problems.sets import ProblemSets
from mmst.stages.pool import view_rows


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


def _check_path(field: str, given: str | None) -> None:
    if given is not None and (Path(given).exists() or given.startswith((".", "/", "~"))):
        path = Path(given).expanduser()
        check_model_directory(path, f"{field}: {path}")
