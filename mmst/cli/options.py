"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

In = Annotated[str, typer.Option("--in", help="JSON Lines file; - is standard input.")]
Out = Annotated[str, typer.Option("--out", help="JSON Lines file; - is standard output.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a field of the configuration, such as rounds.max=3."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RunDir = Annotated[str, typer.Argument(help="A run directory, such as runs/tiny, or s3://bucket/name.")]
Source = Annotated[str, typer.Argument(help="Problems: a JSONL, JSON or Parquet file, or a datasets name.")]
Methods = Annotated[str, typer.Option(help="Methods, separated by commas; default: those of the model's mmst.json.")]
Samples = Annotated[int, typer.Option(help="Answers per method for votes; the first is greedy.", min=1)]
AllowWeak = Annotated[bool, typer.Option(help="Run programs even if the kernel offers no protection.")]
