"""Commands over a checkpoint: evaluate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mmst.cli.options import Json, Settings


def evaluate(
    model: Annotated[Path, typer.Argument(help="A checkpoint: a Hugging Face directory or a hub id.")],
    problems: Annotated[str, typer.Option(help="Problems: JSONL, Parquet or a datasets name.")],
    methods: Annotated[str, typer.Option(help="Methods, separated by commas; default: those of its mmst.json.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write every answer to this Parquet file.")] = None,
    set_: Settings = None,
    json_: Json = False,
) -> None:
    """Accuracy of every method and of their vote, with 95 % intervals.

    Example: mmst evaluate runs/tiny/round-002/checkpoints/solver --problems runs/tiny/problems/test.jsonl
    """
    from rich.console import Console

    from mmst.evaluating import evaluate_checkpoint, figures_table
    from mmst.progress import Reporter

    report = Reporter(Console(stderr=True))
    figures = evaluate_checkpoint(str(model), problems, [m for m in methods.split(",") if m], set_ or [], out, report)
    if json_:
        typer.echo(json.dumps(figures))
    else:
        Console().print(figures_table(figures))
