"""The command that checks the machine: doctor."""

from __future__ import annotations

import dataclasses
import json

import typer

from mmst.cli.options import Json

_COLOURS = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}


def doctor(json_: Json = False) -> None:
    """Check what this machine has, what would not work, and how to fix it. The exit code is 1 if a check fails.

    Example: mmst doctor --json
    """
    from mmst.doctor import examine

    found = {}
    for name, finding in examine():
        found[name] = dataclasses.asdict(finding)
        if not json_:
            typer.secho(f"{finding.state:5}", fg=_COLOURS[finding.state], nl=False)
            typer.echo(f"{name:14} {finding.found}" + (f"\n{'':19} {finding.do}" if finding.do else ""))
    if json_:
        typer.echo(json.dumps(found))
    if any(each["state"] == "fail" for each in found.values()):
        raise typer.Exit(1)
