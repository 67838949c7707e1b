"""Commands that show runs: status, list, show."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmst.cli.options import Json, RunDir
from mmst.errors import InputError
from mmst.terminal import escaped

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from mmst.runs.directory import RunDirectory

_LOOK_EVERY = 1.0
_LINE_EVERY = 30.0
_PIPE_WIDTH = 200
_LINE, _LINES = 400, 80
"""Characters per line, and lines per text, that `show` prints without `--full`."""


def status(
    run_dir: RunDir,
    json_: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it until the run ends.")] = False,
) -> None:
    """Show the state of a run and its accuracy, round by round.

    Example: mmst status runs/tiny --watch
    """
    from mmst.runs.status import run_at, status_of
    from mmst.runs.storage import is_url, run_to_read

    if watch and is_url(run_dir):
        raise InputError(f"{run_dir}: --watch needs a local directory; without it the current status is shown")
    with run_to_read(run_dir, checkpoints=False) as root:
        run = run_at(root)
    output = _console()
    if watch:
        _watch(run, output, json_)
    found = status_of(run, run_dir)
    if not json_:
        output.print(f"{found['run']}: {found['state']}", markup=False, highlight=False)
        print_rounds(output, found["rounds"])
    elif not watch:
        typer.echo(json.dumps(found))


def list_(
    directory: Annotated[str, typer.Argument(help="Directory that holds runs, on this machine.")] = "runs",
    json_: Json = False,
) -> None:
    """List the runs in a directory, including those of experiments.

    Example: mmst list runs
    """
    from rich import box
    from rich.table import Table

    from mmst.runs.directory import RunDirectory
    from mmst.runs.status import runs_under, status_of
    from mmst.runs.storage import is_url

    if is_url(directory):
        raise InputError(
            f"{directory}: `mmst list` reads local directories; `mmst status {directory}/NAME` shows a run"
        )
    if not Path(directory).is_dir():
        raise InputError(f"{directory}: no such directory; runs are in `runs` unless --run-dir says otherwise")
    rows = []
    for root in runs_under(Path(directory)):
        try:
            rows.append(status_of(RunDirectory(root)))
        except InputError as error:
            rows.append({"run": root.name, "path": str(root), "state": f"unreadable: {error}", "rounds": []})
    if json_ or not rows:
        typer.echo(json.dumps(rows) if json_ else f"{directory}: no runs")
        return
    table = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("run", "state", "round", "last stage", "test accuracy, %"):
        table.add_column(column, overflow="fold")
    for row in rows:
        last = row["rounds"][-1] if row["rounds"] else {}
        measured: dict[str, float] = next((r["accuracy"] for r in reversed(row["rounds"]) if r["accuracy"]), {})
        accuracy = ", ".join(f"{name} {100 * value:.1f}" for name, value in measured.items() if name != "any")
        stage = (str(last.get("round", "-")), last.get("stage") or "-")
        table.add_row(escaped(row["path"]), escaped(row["state"]), *stage, accuracy or "-")
    _console().print(table)


def show(
    run_dir: RunDir,
    problem_id: Annotated[str, typer.Argument(help="The `id` of a problem in the run's problems/ directory.")],
    full: Annotated[bool, typer.Option("--full", help="Do not cut long texts.")] = False,
    json_: Json = False,
) -> None:
    """Show every solution of a problem with its verdict, its label, and why it was kept or dropped.

    Control characters in model output are shown as escapes, and long texts are cut.

    Example: mmst show runs/tiny synthetic-train-00017
    """
    from mmst.foreign import sound
    from mmst.runs.solutions import problem_in, solutions_of
    from mmst.runs.status import run_at
    from mmst.runs.storage import run_to_read
    from mmst.terminal import shown

    with run_to_read(run_dir, checkpoints=False) as root:
        run = run_at(root)
    with sound(root):
        problem, rows = problem_in(run, problem_id), solutions_of(run, problem_id)
    if json_:
        typer.echo(json.dumps({"problem": problem, "solutions": rows}))
        return

    def fit(text: object) -> str:
        if full:
            return escaped(str(text))
        part = shown(str(text), _LINE, _LINES)
        return part.text + (f" ({part.left_out:,} characters more; --full shows them)" if part.left_out else "")

    typer.echo(f"{fit(problem['id'])} ({problem['set']}): {fit(problem['question'])}")
    typer.echo(f"reference answer: {fit(problem['answer']) if problem.get('answer') is not None else 'none'}")
    head = None
    for row in rows:
        if head != (head := (row["round"], row["written"], row["method"])):
            typer.echo(f"\nround {row['round']}, {row['method']}, {row['written']}")
        typer.echo(f"\n  {fit(row['solution_id'])}: {fit(_verdict(row))}")
        typer.echo("\n".join(f"    {line}" for line in fit(row["text"]).split("\n")))
        if computed := _computed(row):
            typer.echo(f"  computed: {fit(computed)}")
    if not rows:
        typer.echo("no solutions yet")


def _console() -> Console:
    """Standard output. A pipe gets no colours, and enough width for every table."""
    from rich.console import Console

    output = Console()
    return output if output.is_terminal else Console(width=max(output.width, _PIPE_WIDTH), no_color=True)


def print_rounds(output: Console, rounds: list[dict[str, Any]]) -> None:
    """Print the tables of rounds with which `run` ends and that `status` shows."""
    for table in _tables(rounds):
        output.print(table)


def _tables(rounds: list[dict[str, Any]]) -> list[RenderableType]:
    from mmst.runs.status import rounds_table, slices_table

    return [table for table in (rounds_table(rounds), slices_table(rounds)) if table is not None] if rounds else []


def _watch(run: RunDirectory, output: Console, json_: bool) -> None:
    """Show the status until the run ends: tables that are redrawn on a terminal, else a line (or a JSON object) when a
    stage ends and every half minute."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from mmst.runs.status import status_of

    live = Live(console=output, transient=True, auto_refresh=False) if output.is_terminal and not json_ else None
    before, printed = None, 0.0
    with live or contextlib.nullcontext():
        while True:
            found = status_of(run)
            stages = {**found, "progress": None, "seconds_left": None}
            if live:
                live.update(Group(*_tables(found["rounds"]), Text(_line(found))), refresh=True)
            elif stages != before or time.monotonic() - printed >= _LINE_EVERY:
                before, printed = stages, time.monotonic()
                typer.echo(json.dumps(found) if json_ else _line(found))
            if found["state"] != "running":
                return
            time.sleep(_LOOK_EVERY)


def _line(found: dict[str, Any]) -> str:
    """A status in one line: the running stage with its progress, or the last one that ended."""
    from mmst.progress import duration, rate

    head = f"{found['run']}: {found['state']}"
    if now := found["progress"]:
        parts = [f"{head}, round {now['round']}: {now['stage']}"]
        if now.get("total"):
            parts.append(f"{now['done']:,} of {now['total']:,} {now['unit']}")
            if now["per_second"]:
                left = (now["total"] - now["done"]) / now["per_second"]
                parts += [rate(now["per_second"], now["unit"]), f"{duration(left)} left in this stage"]
        whole = found.get("seconds_left")
        return ", ".join(parts) + ("" if whole is None else f"; about {duration(whole)} left in the run")
    if not found["rounds"]:
        return f"{head}, no stage has ended yet"
    last = found["rounds"][-1]
    return f"{head}, round {last['round']}: {last['stage']} done in {last['seconds'][last['stage']]:.0f} s"


def _verdict(row: dict[str, Any]) -> str:
    """The verdict and the filter's decision in one line."""
    if row["status"] == "turn":
        return f"an intermediate turn ({row['role']})"
    parts = [row["status"] if row["answer"] is None else f"{row['status']}, answer {row['answer']}"]
    if row["origin_id"]:
        parts.append(f"from {row['origin_id']}")
    if row["kept"] is not None:
        label = f"label {row['label']} ({row['label_source']})" if row["label"] is not None else "no label"
        parts += [label, "kept" if row["kept"] else f"dropped ({row['reason']})"]
    return "; ".join(parts)


def _computed(row: dict[str, Any]) -> str:
    """The values that a straight-line program computes; empty for any other solution."""
    from mmst.methods import METHODS
    from mmst.verify.programs import values_by_line

    method = METHODS.get(row["method"])
    values = values_by_line(method.solution(row["text"])) if method and method.view == "program" else None
    return ", ".join(f"{name} = {value}" for _, name, value in values or ())
