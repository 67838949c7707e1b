"""Use a checkpoint without a run: evaluate it on problems, or solve one question."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mmst.config import Config
from mmst.config.file import Settings, build_config, with_settings
from mmst.errors import InputError
from mmst.evaluation import cascade, figures_of, vote, weighted, without_problems
from mmst.methods import METHODS, cascade_order, methods_of
from mmst.methods.card import held_out_accuracy, read_card
from mmst.problems.read import read_problems
from mmst.progress import Reporter
from mmst.records import Problem, Solution
from mmst.results import Attempt, Ensemble, Evaluation, SolveResult
from mmst.runs.directory import Commit, RunDirectory
from mmst.runs.identity import located
from mmst.stages.context import StageContext
from mmst.stages.evaluate import answer_all, outcomes_of, statuses_of
from mmst.stages.prepare import check_model
from mmst.stages.runtime import Runtime

_FROM_CARD = ("socratic",)
"""Sections of the configuration that a checkpoint's `mmst.json` may set. It describes how to prompt the checkpoint; a
foreign file must not choose engines, limits or addresses."""


def evaluate_checkpoint(
    model: str, source: str | Sequence[Problem], methods: Sequence[str], settings: Settings, report: Reporter
) -> Evaluation:
    """Solve every problem by every method; see `mmst.evaluate`."""
    name = source if isinstance(source, str) else f"{len(source)} given problems"
    config = checkpoint_config(model, name, methods, settings)
    fields = config.problems
    problems: Sequence[Problem] = (
        read_problems(source, fields=fields.fields, answer_from=fields.answer_from, hub_split=fields.hub_split)
        if isinstance(source, str)
        else source
    )[: fields.limit]
    with _context(config, report) as context:
        rows = _answers(context, model, problems)
    order = cascade_order(context.methods, config.evaluation.cascade)
    found = figures_of(outcomes_of(rows, problems), config.methods, held_out_accuracy(model) or None, order)
    figures = {"model": model, "problems": name, **without_problems(found), "statuses": statuses_of(rows)}
    accuracy, intervals = (
        {**(found[name] or {}), **(found["ensembles"][name] or {})} for name in ("accuracy", "intervals")
    )
    return Evaluation(found["n"], accuracy, intervals, figures, rows)


def solve_question(
    model: str, question: str, methods: Sequence[str], settings: Settings, ensemble: Ensemble, report: Reporter
) -> SolveResult:
    """Solve one question by every method; see `mmst.solve`."""
    trust = held_out_accuracy(model)
    if ensemble == "weighted" and not trust:
        raise InputError(f"{model}: has no held_out.json with accuracies to weight votes by; use the ensemble `vote`")
    config = checkpoint_config(model, "the question", methods, settings)
    with _context(config, report) as context:
        rows = _answers(context, model, [Problem(id="question", question=question)])
    keys: dict[str, list[str | None]] = {}
    for row in rows:
        keys.setdefault(row.method, []).append(row.key if row.status == "ok" else None)
    if ensemble == "cascade":
        choice = cascade(keys, cascade_order(context.methods, config.evaluation.cascade))
    else:
        choice = (weighted if ensemble == "weighted" else vote)(keys, trust)
    written = {row.key: str(row.answer) for row in reversed(rows) if row.status == "ok"}
    counts = Counter(row.key for row in rows if row.status == "ok")
    return SolveResult(
        answer=written.get(choice.key),
        support=choice.support,
        samples=choice.samples,
        votes={written[key]: count for key, count in counts.most_common()},
        ensemble=ensemble,
        solutions=[
            Attempt(
                row.method, row.sample, row.text, METHODS[row.method].with_values(row.visible), row.status, row.answer
            )
            for row in rows
        ],
    )


def checkpoint_config(model: str, source: str, methods: Sequence[str], settings: Settings) -> Config:
    """The configuration that prompts a checkpoint as its `mmst.json` says; `methods` and `settings` win over it.

    Raises InputError for a directory that is no model, and for unknown methods or settings.
    """
    card = read_card(model) or {}
    own = {name: value for name, value in card.get("settings", {}).items() if name in _FROM_CARD}
    tree = {"name": "evaluate", "problems": {"train": source}, "model": {"path": model}, **own}
    if chosen := list(methods) or card.get("methods"):
        tree["methods"] = chosen
    config = build_config(with_settings(tree, settings), model)
    check_model(config.model)
    return config


@contextlib.contextmanager
def _context(config: Config, report: Reporter) -> Iterator[StageContext]:
    """What the stages need to use one checkpoint."""
    methods = methods_of(config)
    with TemporaryDirectory() as scratch, Runtime(config, methods, report) as runtime:
        yield StageContext(config, RunDirectory(Path(scratch)), {}, methods, runtime, report)


def _answers(context: StageContext, model: str, problems: Sequence[Problem]) -> list[Solution]:
    solver = context.solver(located(model), Commit())
    return answer_all(context, solver, problems, 0, "evaluate", context.config.evaluation.samples)
