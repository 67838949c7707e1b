"""Commands that make pages of runs: dashboard, report."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer


def dashboard(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Run directories, directories that hold some, or s3://bucket/name: a run as it is there now."
        ),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine's own see all runs.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port; 0 takes any that is free.", min=0, max=65535)] = 8200,
) -> None:
    """Runs as pages in a browser, live while they go: figures, and every solution with its verdict and decision.

    Example: mmst dashboard runs/tiny
    """
    from mmst.dashboard.app import serve
    from mmst.runs.storage import run_to_read

    with contextlib.ExitStack() as copies:
        serve([copies.enter_context(run_to_read(place, checkpoints=False)) for place in runs], host, port)


def report(
    run_dir: Annotated[str, typer.Argument(help="A run directory, such as runs/tiny, or s3://bucket/name.")],
    out: Annotated[
        Path | None, typer.Option(help="Where it goes; default report.html in the run, or here for one in a store.")
    ] = None,
) -> None:
    """A whole run as one HTML file that needs nothing else; each round has one of its own in its directory.

    Example: mmst report runs/tiny --out tiny.html
    """
    from mmst.dashboard.report import run_report
    from mmst.runs.directory import RunDirectory
    from mmst.runs.space import clear_disk_errors
    from mmst.runs.storage import is_url, run_to_read

    with run_to_read(run_dir, checkpoints=False) as root, clear_disk_errors(RunDirectory(root)):
        typer.echo(run_report(root, out or (Path("report.html") if is_url(run_dir) else None)))
