"""A checkpoint without a run: `mmst evaluate` on a file of problems, `mmst solve` on one question."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mmst.config.file import build_config, with_settings
from mmst.errors import InputError
from mmst.evaluation import cascade, figures_of, vote, weighted, without_problems
from mmst.methods import METHODS, cascade_order, methods_of
from mmst.methods.card import held_out_accuracy, read_card
from mmst.problems.read import read_problems
from mmst.progress import Reporter
from mmst.records import Problem, Solution
from mmst.runs.checkpoints import located
from mmst.runs.directory import Commit, RunDirectory
from mmst.runs.tables import write_table
from mmst.stages.context import StageContext
from mmst.stages.evaluate import answer_all, outcomes_of, statuses_of
from mmst.stages.preflight import check_model
from mmst.stages.runtime import Runtime
from mmst.terminal import escaped


def evaluate_checkpoint(
    model: str, source: str, methods: Sequence[str], settings: Sequence[str], out: Path | None, report: Reporter
) -> dict[str, Any]:
    """Answer every problem by every method.

    Parameters
    ----------
    model: directory or hub id of the checkpoint; its `mmst.json` says how to ask it.
    source: problems, as in `problems.train`.
    methods: by name; empty takes those of `mmst.json`, else all there are in a default configuration.
    settings: `key=value` of the configuration, such as `evaluation.samples=4`.
    out: Parquet file for every answer.

    Returns the figures, as in a round. Raises InputError for a model, problems or settings that are none.
    """
    with checkpoint_job(model, source, methods, settings, report) as context:
        fields = context.config.problems
        problems = read_problems(
            source, fields=fields.fields, answer_from=fields.answer_from, hub_split=fields.hub_split
        )[: fields.limit]
        rows = _answers(context, model, problems)
    if out is not None:
        write_table(out.absolute(), Solution, rows)
    order = cascade_order(context.methods, context.config.evaluation.cascade)
    trust = held_out_accuracy(model) or None
    figures = figures_of(outcomes_of(rows, problems), context.config.methods, trust, order)
    return {"model": model, "problems": source, **without_problems(figures), "statuses": statuses_of(rows)}


def solve_question(
    model: str, question: str, methods: Sequence[str], settings: Sequence[str], ensemble: str, report: Reporter
) -> dict[str, Any]:
    """Solve one question by every method, and say what they answer together.

    `ensemble` is vote, weighted (by the accuracy that the checkpoint's run measured on dev problems) or cascade; the
    other parameters are those of `evaluate_checkpoint`.

    Returns `answer` (none where nothing was readable), its `support` of so many readable `samples`, and `solutions`:
    method, text, what it `computed` line by line, status and answer of each. Raises InputError as
    `evaluate_checkpoint` does, and for a weighted vote without known accuracies.
    """
    trust = held_out_accuracy(model)
    if ensemble == "weighted" and not trust:
        raise InputError(f"{model}: has no held_out.json, so that nothing is known to weigh votes by; take `vote`")
    with checkpoint_job(model, "the question", methods, settings, report) as context:
        rows = _answers(context, model, [Problem(id="question", question=question)])
    answers: dict[str, list[str | None]] = {}
    for row in rows:
        answers.setdefault(row.method, []).append(row.key if row.status == "ok" else None)
    if ensemble == "cascade":
        choice = cascade(answers, cascade_order(context.methods, context.config.evaluation.cascade))
    else:
        choice = (weighted if ensemble == "weighted" else vote)(answers, trust)
    said = (row.answer for row in rows if row.status == "ok" and row.key == choice.key)
    return {
        "answer": next(said, None),
        "support": choice.support,
        "samples": choice.samples,
        "ensemble": ensemble,
        "solutions": [
            {
                "method": row.method,
                "sample": row.sample,
                "text": row.text,
                "computed": METHODS[row.method].with_values(row.text),
                "status": row.status,
                "answer": row.answer,
            }
            for row in rows
        ],
    }


@contextlib.contextmanager
def checkpoint_job(
    model: str, source: str, methods: Sequence[str], settings: Sequence[str], report: Reporter
) -> Iterator[StageContext]:
    """What the stages need to use one checkpoint, without a run."""
    card = read_card(model) or {}
    tree = {"name": "evaluate", "problems": {"train": source}, "model": {"path": model}, **card.get("settings", {})}
    asked = list(methods) or card.get("methods")
    config = build_config(with_settings(tree | ({"methods": asked} if asked else {}), settings), "--set")
    chosen = methods_of(config)
    check_model(config.model)
    with TemporaryDirectory() as scratch, Runtime(config, chosen, report) as runtime:
        yield StageContext(config, RunDirectory(Path(scratch)), {}, chosen, runtime, report)


def _answers(context: StageContext, model: str, problems: Sequence[Problem]) -> list[Solution]:
    solver = context.solver(located(model), Commit())
    return answer_all(context, solver, problems, 0, "evaluate", context.config.evaluation.samples)


def figures_table(figures: dict[str, Any]) -> Table:
    """Accuracies with their intervals, for a terminal."""
    table = Table(title=f"{figures['n']} problems", title_justify="left", box=box.SIMPLE, pad_edge=False)
    for column in ("", "accuracy, %", "95 % interval"):
        table.add_column(column, justify="right")
    for name, value in (figures["accuracy"] or {}).items():
        low, high = figures["intervals"][name]
        table.add_row(name, f"{100 * value:.1f}", f"{100 * low:.1f} to {100 * high:.1f}")
    combined = figures["ensembles"]
    for name in ("weighted", "cascade"):
        if combined["accuracy"] and len(figures["phi"]):
            low, high = combined["intervals"][name]
            table.add_row(name, f"{100 * combined['accuracy'][name]:.1f}", f"{100 * low:.1f} to {100 * high:.1f}")
    agreement = figures["agreement"]
    table.add_row("agreement", f"{100 * agreement['share']:.1f}", "share of problems")
    if agreement["precision"] is not None:
        table.add_row("of which right", f"{100 * agreement['precision']:.1f}", "")
    return table


def solutions_page(found: dict[str, Any]) -> RenderableType:
    """Every solution with what it computed, then the answer, for a terminal. Model text is shown as text."""
    parts: list[RenderableType] = []
    for solution in found["solutions"]:
        ended = solution["answer"] if solution["status"] == "ok" else solution["status"]
        parts += [Text(f"{solution['method']}: {ended}", style="bold"), Text(escaped(solution["computed"])), Text()]
    if found["answer"] is None:
        parts.append(Text("no method gave an answer"))
    else:
        parts.append(Text(f"{found['answer']}  ({found['support']} of {found['samples']}, by {found['ensemble']})"))
    return Group(*parts)
