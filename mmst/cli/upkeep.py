"""Commands that look after runs: verify-run, clean."""

from __future__ import annotations

from typing import Annotated

import typer

from mmst.cli.options import Json


def verify_run(
    run_dir: Annotated[str, typer.Argument(help="A run directory, such as runs/tiny, or s3://bucket/name.")],
    json_: Json = False,
) -> None:
    """Check every manifest, checksum, count and reference of a run; exit code 1 where something is wrong.

    Example: mmst verify-run runs/tiny
    """
    from mmst.runs.audit import as_json, verify_run
    from mmst.runs.storage import run_to_read

    with run_to_read(run_dir) as root:
        faults, counts = verify_run(root)
    if json_:
        typer.echo(as_json(run_dir, faults, counts))
    else:
        for fault in faults:
            typer.echo(str(fault))
        looked = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        typer.echo(f"{run_dir}: {len(faults) or 'no'} fault{'s' if len(faults) != 1 else ''} in {looked}")
    if faults:
        raise typer.Exit(1)


def clean(
    run_dir: Annotated[str, typer.Argument(help="A run directory, such as runs/tiny, or s3://bucket/name.")],
    keep: Annotated[int, typer.Option(min=1, help="Checkpoints of so many newest rounds stay.")],
    dry_run: Annotated[bool, typer.Option(help="Say what would go; remove nothing.")] = False,
) -> None:
    """Remove checkpoints that no round needs any more; the best, round 0's and the newest stay.

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
                typer.echo(f"{directory}: {size(bytes_under(directory))}")
            typer.echo(f"{run_dir}: {len(found)} checkpoints, {size(sum(map(bytes_under, found)))} would be freed")
        return
    with run_directory(run_dir, typer.echo) as run, clear_disk_errors(run), held(run.root, typer.echo):
        run_at(run.root)
        found = superfluous(run, keep)
        freed = remove_checkpoints(run, found)
    typer.echo(f"{run_dir}: {len(found)} checkpoints removed, {size(freed)} freed")
