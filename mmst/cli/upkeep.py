"""Commands that look after runs: verify-run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmst.cli.options import Json


def verify_run(
    run_dir: Annotated[Path, typer.Argument(help="A run directory, such as runs/tiny.")],
    json_: Json = False,
) -> None:
    """Check every manifest, checksum, count and reference of a run; exit code 1 where something is wrong.

    Example: mmst verify-run runs/tiny
    """
    from mmst.verifying import as_json, verify_run

    faults, counts = verify_run(run_dir)
    if json_:
        typer.echo(as_json(run_dir, faults, counts))
    else:
        for fault in faults:
            typer.echo(str(fault))
        looked = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        typer.echo(f"{run_dir}: {len(faults) or 'no'} fault{'s' if len(faults) != 1 else ''} in {looked}")
    if faults:
        raise typer.Exit(1)
