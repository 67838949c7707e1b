"""Commands over a checkpoint: evaluate, solve."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from mmst.cli.options import Json, Settings

Methods = Annotated[str, typer.Option(help="Methods, separated by commas; default: those of its mmst.json.")]
Samples = Annotated[int, typer.Option(help="Answers per method that votes count; the first is greedy.", min=1)]


def _names(methods: str) -> list[str]:
    return [name for name in methods.split(",") if name]


def evaluate(
    model: Annotated[Path, typer.Argument(help="A checkpoint: a Hugging Face directory or a hub id.")],
    problems: Annotated[str, typer.Option(help="Problems: JSONL, Parquet or a datasets name.")],
    methods: Methods = "",
    out: Annotated[Path | None, typer.Option(help="Write every answer to this Parquet file.")] = None,
    samples: Samples = 1,
    set_: Settings = None,
    json_: Json = False,
) -> None:
    """Accuracy of every method, of votes of them and of a cascade, with 95 % intervals.

    Example: mmst evaluate runs/tiny/round-002/checkpoints/solver --problems runs/tiny/problems/test.jsonl
    """
    from rich.console import Console

    from mmst.progress import Reporter
    from mmst.serving.evaluating import evaluate_checkpoint, figures_table

    report = Reporter(Console(stderr=True))
    settings = [*(set_ or []), f"evaluation.samples={samples}"]
    figures = evaluate_checkpoint(str(model), problems, _names(methods), settings, out, report)
    if json_:
        typer.echo(json.dumps(figures))
    else:
        Console().print(figures_table(figures))


def solve(
    question: Annotated[str, typer.Argument(help="The problem, in words; - reads it from standard input.")],
    model: Annotated[Path, typer.Option(help="A checkpoint: a Hugging Face directory or a hub id.")],
    methods: Methods = "",
    ensemble: Annotated[
        Literal["vote", "weighted", "cascade"],
        typer.Option(help="Majority, majority weighted by accuracy on dev problems, or the first that executes."),
    ] = "vote",
    samples: Samples = 1,
    set_: Settings = None,
    json_: Json = False,
) -> None:
    """Solve one question by every method: each solution, what it computed, and the answer with its support.

    Example: mmst solve "Mia has 12 pens and buys 3 more. How many?" --model runs/tiny/round-003/checkpoints/solver
    """
    from rich.console import Console

    from mmst.errors import InputError
    from mmst.progress import Reporter
    from mmst.serving.evaluating import solutions_page, solve_question

    text = (sys.stdin.read() if question == "-" else question).strip()
    if not text:
        raise InputError("the question is empty")
    settings = [*(set_ or []), f"evaluation.samples={samples}"]
    report = Reporter(Console(stderr=True))
    found = solve_question(str(model), text, _names(methods), settings, ensemble, report)
    if json_:
        typer.echo(json.dumps(found))
    else:
        Console().print(solutions_page(found))
