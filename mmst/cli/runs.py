"""Commands that make, check and clean runs: run, experiment, verify-run, clean."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mmst.cli.options import Json, RunDir, Settings
from mmst.terminal import escaped


def run(
    config: Annotated[Path, typer.Argument(help="YAML file, such as configs/tiny.yaml.")],
    run_dir: Annotated[
        str | None, typer.Option(help="Directory or s3://bucket/name of the run; default runs/<name>.")
    ] = None,
    set_: Settings = None,
    dry_run: Annotated[
        bool, typer.Option(help="Check everything and print the resolved configuration; run nothing.")
    ] = False,
    fork: Annotated[Path | None, typer.Option(help="Start from the rounds of this run; needs a new --run-dir.")] = None,
    from_round: Annotated[
        int | None, typer.Option(min=0, max=999, help="The last round to take from --fork; default 0.")
    ] = None,
) -> None:
    """Run the self-training loop. The same command resumes an interrupted run.

    Example: mmst run configs/tiny.yaml --set rounds.max=3
    """
    from mmst.config.file import load_config
    from mmst.errors import InputError

    if from_round is not None and fork is None:
        raise InputError(f"--from-round {from_round}: needs --fork, the run to take the rounds from")
    resolved = load_config(config, set_ or [])
    if dry_run:
        from mmst.doctor.dry_run import check
        from mmst.runs.storage import run_to_read

        with run_to_read(run_dir or str(Path("runs") / resolved.name)) as root:
            check(resolved, root, fork, from_round or 0)
        return
    from mmst.api import self_train
    from mmst.cli.inspect import print_rounds
    from mmst.progress import Reporter
    from mmst.runs.directory import RunDirectory
    from mmst.runs.status import status_of

    report = Reporter()
    try:
        result = self_train(resolved, run_dir, fork=fork, from_round=from_round or 0, progress=report)
    except KeyboardInterrupt:
        print("mmst: interrupted; rerun the same command to resume", file=sys.stderr)
        raise
    print_rounds(report.console, status_of(RunDirectory(result.directory))["rounds"])
    report.line(f"{result.directory.name}: {result.stopped}")


def experiment(
    file: Annotated[Path, typer.Argument(help="YAML file with a base configuration, arms and seeds.")],
    out_dir: Annotated[
        Path | None, typer.Option(help="Directory of the runs and results; default runs/<file name>.")
    ] = None,
    scale: Annotated[
        float, typer.Option(help="Multiply the settings that the file lists as scaled.", min=0.01, max=1000)
    ] = 1.0,
) -> None:
    """Compare arms × seeds over one configuration: paired differences with intervals, tests, and a plot.

    Finished arms are never repeated, and arms share round 0.

    Example: mmst experiment experiments/mmst.yaml
    """
    from rich.markdown import Markdown

    from mmst import api
    from mmst.progress import Reporter

    report = Reporter()
    result = api.experiment(file, out_dir, scale=scale, progress=report)
    report.console.print(Markdown((result.directory / "table.md").read_text()))
    report.line(f"{result.directory}: table.md, table.json, results.jsonl, plot.png")


def verify_run(run_dir: RunDir, json_: Json = False) -> None:
    """Check every manifest, checksum, row count and reference of a run. The exit code is 1 if something is wrong.

    Example: mmst verify-run runs/tiny
    """
    from mmst import api
    from mmst.runs.audit import as_json

    found = api.verify_run(run_dir)
    if json_:
        typer.echo(as_json(run_dir, found.faults, found.checked))
    else:
        for fault in found.faults:
            typer.echo(escaped(str(fault)))
        checked = ", ".join(f"{count:,} {name}" for name, count in found.checked.items())
        count = len(found.faults)
        typer.echo(f"{escaped(run_dir)}: {count or 'no'} fault{'' if count == 1 else 's'} in {checked}")
    if found.faults:
        raise typer.Exit(1)


def clean(
    run_dir: RunDir,
    keep: Annotated[int, typer.Option(min=1, help="Number of newest rounds whose checkpoints stay.")],
    dry_run: Annotated[bool, typer.Option(help="List what would be removed; remove nothing.")] = False,
) -> None:
    """Remove checkpoints that no round needs. The promoted one, that of round 0 and the newest stay.

    Example: mmst clean runs/tiny --keep 1 --dry-run
    """
    from mmst.runs.lock import held
    from mmst.runs.retention import remove_checkpoints, superfluous
    from mmst.runs.space import bytes_under, clear_disk_errors, size
    from mmst.runs.status import run_at
    from mmst.runs.storage import run_directory, run_to_read

    if dry_run:
        with run_to_read(run_dir) as root:
            for directory in (found := superfluous(run_at(root), keep)):
                typer.echo(f"{escaped(str(directory))}: {size(bytes_under(directory))}")
            typer.echo(
                f"{escaped(run_dir)}: {len(found)} checkpoints, {size(sum(map(bytes_under, found)))} would be freed"
            )
        return
    with (
        run_directory(run_dir, typer.echo) as directory_,
        clear_disk_errors(run_at(directory_.root)),
        held(directory_.root, typer.echo),
    ):
        found = superfluous(directory_, keep)
        freed = remove_checkpoints(directory_, found)
    typer.echo(f"{escaped(run_dir)}: {len(found)} checkpoints removed, {size(freed)} freed")
