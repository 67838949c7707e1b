"""Commands that make pages of runs: dashboard, report."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from mmst.cli.options import RunDir


def dashboard(
    runs: Annotated[
        list[str],
        typer.Argument(help="Run directories, directories that hold runs, or s3://bucket/name (a copy as of now)."),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on. Other machines see all runs unless it is 127.0.0.1.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 chooses a free one.", min=0, max=65535)] = 8200,
) -> None:
    """Serve runs as web pages that follow them live: figures, and every solution with its verdict and decision.

    Example: mmst dashboard runs/tiny
    """
    from mmst.dashboard.app import serve
    from mmst.runs.storage import run_to_read

    with contextlib.ExitStack() as copies:
        serve([copies.enter_context(run_to_read(place, checkpoints=False)) for place in runs], host, port)


def report(
    run_dir: RunDir,
    out: Annotated[
        Path | None,
        typer.Option(help="HTML file; default report.html in the run, for s3:// in the working directory."),
    ] = None,
) -> None:
    """Write a whole run as one self-contained HTML file. Each round also has its own report.html.

    Example: mmst report runs/tiny --out tiny.html
    """
    from mmst.dashboard.report import run_report
    from mmst.runs.directory import RunDirectory
    from mmst.runs.space import clear_disk_errors
    from mmst.runs.storage import is_url, run_to_read

    with run_to_read(run_dir, checkpoints=False) as root, clear_disk_errors(RunDirectory(root)):
        typer.echo(run_report(root, out or (Path("report.html") if is_url(run_dir) else None)))
