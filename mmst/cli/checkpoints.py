"""Commands that use a checkpoint: evaluate, solve."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmst.cli.options import Json, Methods, Samples, Settings
from mmst.errors import InputError
from mmst.results import Ensemble

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from mmst.progress import Reporter
    from mmst.results import Evaluation, SolveResult


def evaluate(
    model: Annotated[str, typer.Argument(help="A Hugging Face model directory or a hub id.")],
    problems: Annotated[str, typer.Option(help="Problems: a JSONL, JSON or Parquet file, or a datasets name.")],
    methods: Methods = "",
    out: Annotated[Path | None, typer.Option(help="Write every answer to this Parquet file.")] = None,
    samples: Samples = 1,
    set_: Settings = None,
    json_: Json = False,
) -> None:
    """Measure the accuracy of a model by every method, of votes over methods, and of a cascade, with 95 % intervals.

    Example: mmst evaluate runs/tiny/round-002/checkpoints/solver --problems runs/tiny/problems/test.jsonl
    """
    from rich.console import Console

    from mmst import api

    found = api.evaluate(
        model, problems, methods=_names(methods), samples=samples, settings=set_ or [], out=out, progress=_on_stderr()
    )
    if json_:
        typer.echo(json.dumps(found.figures))
    else:
        Console().print(_figures(found))


def solve(
    question: Annotated[str, typer.Argument(help="The problem in words; - reads standard input.")],
    model: Annotated[str, typer.Option(help="A Hugging Face model directory or a hub id.")],
    methods: Methods = "",
    ensemble: Annotated[
        Ensemble,
        typer.Option(
            help="Majority vote, vote weighted by accuracy on dev problems, or the first method that answers."
        ),
    ] = "vote",
    samples: Samples = 1,
    set_: Settings = None,
    json_: Json = False,
) -> None:
    """Solve one question by every method, and choose the answer by a vote or a cascade.

    Example: mmst solve "Mia has 12 pens and buys 3 more. How many?" --model runs/tiny/round-003/checkpoints/solver
    """
    from rich.console import Console

    from mmst import api

    text = (sys.stdin.read() if question == "-" else question).strip()
    if not text:
        raise InputError("the question is empty")
    found = api.solve(
        text,
        model,
        methods=_names(methods),
        samples=samples,
        ensemble=ensemble,
        settings=set_ or [],
        progress=_on_stderr(),
    )
    if json_:
        typer.echo(json.dumps(dataclasses.asdict(found)))
    else:
        Console().print(_solutions(found))


def _names(methods: str) -> list[str]:
    return [name.strip() for name in methods.split(",") if name.strip()]


def _on_stderr() -> Reporter:
    """Progress that leaves standard output to the result."""
    from rich.console import Console

    from mmst.progress import Reporter

    return Reporter(Console(stderr=True))


def _figures(found: Evaluation) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=f"{found.n} problems", title_justify="left", box=box.SIMPLE, pad_edge=False)
    for column in ("", "accuracy, %", "95 % interval"):
        table.add_column(column, justify="right")
    for name, value in found.accuracy.items():
        low, high = found.intervals[name]
        table.add_row(name, f"{100 * value:.1f}", f"{100 * low:.1f} to {100 * high:.1f}")
    agreement = found.figures["agreement"]
    table.add_row("methods agree", f"{100 * agreement['share']:.1f}", "share of problems")
    if agreement["precision"] is not None:
        table.add_row("of these right", f"{100 * agreement['precision']:.1f}", "")
    return table


def _solutions(found: SolveResult) -> RenderableType:
    """Every solution with its computed values, then the answer. Control characters of the model are escaped."""
    from rich.console import Group
    from rich.text import Text

    from mmst.terminal import escaped

    parts: list[RenderableType] = []
    for solution in found.solutions:
        outcome = solution.answer if solution.status == "ok" else solution.status
        head = Text(escaped(f"{solution.method}: {outcome}"), style="bold")
        parts += [head, Text(escaped(solution.computed)), Text()]
    if found.answer is None:
        parts.append(Text("no method gave an answer"))
    else:
        by = f"({found.support} of {found.samples} answers, {found.ensemble})"
        parts.append(Text(escaped(f"{found.answer}  {by}")))
    return Group(*parts)
