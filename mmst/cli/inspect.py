"""Commands that look at runs: status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmst.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console


def status(
    run_dir: Annotated[Path, typer.Argument(help="A run directory, such as runs/tiny.")],
    json_: Json = False,
) -> None:
    """Where a run stands, round by round.

    Example: mmst status runs/tiny --json
    """
    from rich.console import Console

    from mmst.runs.status import run_at, status_of

    found = status_of(run_at(run_dir))
    if json_:
        typer.echo(json.dumps(found))
        return
    console = Console()
    console.print(f"{found['run']}: {found['state']}")
    print_rounds(console, found["rounds"])


def print_rounds(console: Console, rounds: list[dict[str, Any]]) -> None:
    """The tables of rounds that `run` ends with and `status` shows."""
    from mmst.runs.status import rounds_table, slices_table

    console.print(rounds_table(rounds))
    if (table := slices_table(rounds)) is not None:
        console.print(table)
