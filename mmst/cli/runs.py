"""Commands that make runs: run, experiment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mmst.cli.options import Settings


def run(
    config: Annotated[Path, typer.Argument(help="YAML file, such as configs/tiny.yaml.")],
    run_dir: Annotated[
        str | None, typer.Option(help="Where it goes, a directory or s3://bucket/name; default runs/<name>.")
    ] = None,
    set_: Settings = None,
    dry_run: Annotated[
        bool, typer.Option(help="Print the resolved configuration and what it needs; do nothing.")
    ] = False,
    fork: Annotated[Path | None, typer.Option(help="Begin with what this run has; needs a new --run-dir.")] = None,
    from_round: Annotated[int, typer.Option(min=0, help="The last round that --fork takes over.")] = 0,
) -> None:
    """Run the self-training loop, or go on with a run: the same line resumes.

    Example: mmst run configs/tiny.yaml --set rounds.max=3
    """
    from mmst.cli.inspect import print_rounds
    from mmst.config.file import load_config

    resolved = load_config(config, set_ or [])
    from mmst.runs.storage import run_directory, run_to_read

    place = run_dir or str(Path("runs") / resolved.name)
    if dry_run:
        from mmst.doctor.dry_run import check

        with run_to_read(place) as root:
            check(resolved, root)
        return
    from mmst.dashboard.report import round_report
    from mmst.loop import self_train
    from mmst.progress import Reporter
    from mmst.runs.opening import fork_once
    from mmst.runs.status import status_of

    report = Reporter()
    try:
        with run_directory(place, report.line) as run_:
            if fork is not None:
                fork_once(fork, run_.root, resolved, from_round)
            reason = self_train(resolved, run_.root, report, round_report, run_.on_commit)
    except KeyboardInterrupt:
        print("mmst: interrupted; the same line goes on where it was", file=sys.stderr)
        raise
    print_rounds(report.console, status_of(run_)["rounds"])
    report.line(f"{run_.root.name}: {reason}")


def experiment(
    file: Annotated[Path, typer.Argument(help="YAML file with a base configuration, arms and seeds.")],
    out_dir: Annotated[Path | None, typer.Option(help="Where runs and results go; default runs/<file name>.")] = None,
    scale: Annotated[
        float, typer.Option(help="Multiply what the file names as scaled, for real hardware.", min=0.01)
    ] = 1.0,
) -> None:
    """Arms × seeds over one configuration: a table with intervals, paired differences and a plot.

    What is finished is never done again; arms share round 0. Example: mmst experiment experiments/mmst.yaml
    """
    from mmst.dashboard.report import round_report
    from mmst.experiments import read_experiment, run_experiment
    from mmst.experiments.tables import rich_table
    from mmst.progress import Reporter

    report = Reporter()
    defined = read_experiment(file)
    name = file.stem if scale == 1.0 else f"{file.stem}-x{scale:g}"
    result = run_experiment(
        defined if scale == 1.0 else defined.multiplied(scale), out_dir or Path("runs") / name, report, round_report
    )
    for title, table in (("test problems", result.tables["test"]), ("the related task", result.tables["transfer"])):
        if table:
            report.console.print(rich_table(table, title))
