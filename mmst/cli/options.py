"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

In = Annotated[str, typer.Option("--in", help="JSON lines file, - for standard input.")]
Out = Annotated[str, typer.Option("--out", help="JSON lines file, - for standard output.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a field of the configuration, such as rounds.max=3."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
