"""`mmst evaluate`: a checkpoint on a file of problems, as a round would, without a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich import box
from rich.table import Table

from mmst.config.file import build_config, with_settings
from mmst.evaluation import figures_of
from mmst.loop import check_model
from mmst.methods import methods_named
from mmst.methods.asking import read_card
from mmst.methods.base import Solution
from mmst.problems.read import read_problems
from mmst.progress import Reporter
from mmst.runs.directory import Commit, RunDirectory
from mmst.runs.tables import write_table
from mmst.stages.evaluate import answer_all, outcomes_of
from mmst.stages.job import Job, located
from mmst.stages.services import Services


def evaluate_checkpoint(
    model: str, source: str, methods: Sequence[str], settings: Sequence[str], out: Path | None, report: Reporter
) -> dict[str, Any]:
    """Answer every problem greedily by every method.

    Parameters
    ----------
    model: directory or hub id of the checkpoint; its `mmst.json` says how to ask it.
    source: problems, as in `problems.train`.
    methods: by name; empty takes those of `mmst.json`, else all there are in a default configuration.
    settings: `key=value` of the configuration, such as `sampling.max_tokens=256`.
    out: Parquet file for every answer.

    Returns the figures, as in a round. Raises InputError for a model, problems or settings that are none.
    """
    card = read_card(model) or {}
    tree = {"name": "evaluate", "problems": {"train": source}, "model": {"path": model}}
    asked = list(methods) or card.get("methods")
    config = build_config(with_settings(tree | ({"methods": asked} if asked else {}), settings), "--set")
    chosen = methods_named(config.methods)
    check_model(config.model)
    fields = config.problems
    problems = read_problems(source, fields=fields.fields, answer_from=fields.answer_from, hub_split=fields.hub_split)
    with TemporaryDirectory() as scratch, Services(config, chosen, report) as services:
        run = RunDirectory(Path(scratch))
        job = Job(config, run, {}, chosen, services, report)
        rows = answer_all(job, job.solver_for(located(model), Commit()), problems[: fields.limit], 0, "evaluate")
    if out is not None:
        write_table(out.absolute(), Solution, rows)
    figures = figures_of(outcomes_of(rows, problems[: fields.limit]), config.methods)
    del figures["right"]
    return {"model": model, "problems": source, **figures}


def figures_table(figures: dict[str, Any]) -> Table:
    """Accuracies with their intervals, for a terminal."""
    table = Table(title=f"{figures['n']} problems", title_justify="left", box=box.SIMPLE, pad_edge=False)
    for column in ("", "accuracy, %", "95 % interval"):
        table.add_column(column, justify="right")
    for name, value in (figures["accuracy"] or {}).items():
        low, high = figures["intervals"][name]
        table.add_row(name, f"{100 * value:.1f}", f"{100 * low:.1f} to {100 * high:.1f}")
    agreement = figures["agreement"]
    table.add_row("agreement", f"{100 * agreement['share']:.1f}", "share of problems")
    if agreement["precision"] is not None:
        table.add_row("of which right", f"{100 * agreement['precision']:.1f}", "")
    return table
