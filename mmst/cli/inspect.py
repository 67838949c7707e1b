"""Commands that look at runs: status, list, show."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmst.cli.options import Json
from mmst.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from mmst.runs.directory import RunDirectory

_LOOK_EVERY = 1.0
_SAY_EVERY = 30.0
_PIPE_WIDTH = 200
_LINE, _LINES = 400, 80
"""Characters per line, and lines per text, that `show` prints without `--full`."""


def status(
    run_dir: Annotated[str, typer.Argument(help="A run directory, such as runs/tiny, or s3://bucket/name.")],
    json_: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing it until the run ends.")] = False,
) -> None:
    """Where a run stands, round by round.

    Example: mmst status runs/tiny --watch
    """
    from mmst.runs.status import run_at, status_of
    from mmst.runs.storage import is_url, run_to_read

    output = console()
    if watch and is_url(run_dir):
        raise InputError(
            f"{run_dir}: --watch needs a directory of this machine; leave it away to see how it stands now"
        )
    with run_to_read(run_dir, checkpoints=False) as root:
        run = run_at(root)
    if watch and output.is_terminal and not json_:
        _watch_live(run, output)
    elif watch:
        for found in _looks(run, _SAY_EVERY):
            typer.echo(json.dumps(found) if json_ else _line(found))
    found = status_of(run, run_dir)
    if json_ and not watch:
        typer.echo(json.dumps(found))
    elif not json_:
        print_status(output, found)


def list_(
    directory: Annotated[str, typer.Argument(help="Where runs are, on this machine.")] = "runs",
    json_: Json = False,
) -> None:
    """The runs in a directory, those of experiments included.

    Example: mmst list runs
    """
    from rich import box
    from rich.table import Table

    from mmst.runs.directory import RunDirectory
    from mmst.runs.status import runs_under, status_of
    from mmst.runs.storage import is_url

    if is_url(directory):
        raise InputError(f"{directory}: `mmst list` looks at directories; `mmst status {directory}/NAME` shows one run")
    if not Path(directory).is_dir():
        raise InputError(f"{directory}: there is no such directory; runs are in `runs` unless --run-dir says otherwise")
    rows = []
    for root in runs_under(Path(directory)):
        try:
            rows.append(status_of(RunDirectory(root)))
        except InputError as error:
            rows.append({"run": root.name, "path": str(root), "state": f"unreadable: {error}", "rounds": []})
    if json_:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        typer.echo(f"{directory}: no runs")
        return
    table = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("run", "state", "round", "last stage", "test accuracy, %"):
        table.add_column(column, overflow="fold")
    for row in rows:
        last = row["rounds"][-1] if row["rounds"] else {}
        done: dict[str, float] = next((r["accuracy"] for r in reversed(row["rounds"]) if r["accuracy"]), {})
        accuracy = ", ".join(f"{name} {100 * value:.1f}" for name, value in done.items() if name != "any")
        where = (str(last.get("round", "-")), last.get("stage") or "-")
        table.add_row(row["path"], row["state"], *where, accuracy or "-")
    console().print(table)


def show(
    run_dir: Annotated[str, typer.Argument(help="A run directory, such as runs/tiny, or s3://bucket/name.")],
    problem_id: Annotated[str, typer.Argument(help="The `id` of a problem; those in runs/tiny/problems/.")],
    full: Annotated[bool, typer.Option("--full", help="Cut nothing, however long it is.")] = False,
    json_: Json = False,
) -> None:
    """Everything that was written about a problem: every solution with its verdict, label, and why it was kept or not.

    What a model wrote is shown and never obeyed: control characters appear as escapes, and long lines are cut.

    Example: mmst show runs/tiny train-17
    """
    from mmst.runs.solutions import problem_in, solutions_of
    from mmst.runs.status import run_at
    from mmst.runs.storage import run_to_read
    from mmst.terminal import escaped, shown

    with run_to_read(run_dir, checkpoints=False) as root:
        run = run_at(root)
    problem = problem_in(run, problem_id)
    rows = solutions_of(run, problem_id)
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


def console() -> Console:
    """Standard output; to a pipe without colour, and wide enough that no table is cut."""
    from rich.console import Console

    output = Console()
    return output if output.is_terminal else Console(width=max(output.width, _PIPE_WIDTH), no_color=True)


def print_status(output: Console, found: dict[str, Any]) -> None:
    """A run's state and its tables."""
    output.print(f"{found['run']}: {found['state']}", markup=False, highlight=False)
    print_rounds(output, found["rounds"])


def print_rounds(output: Console, rounds: list[dict[str, Any]]) -> None:
    """The tables of rounds that `run` ends with and `status` shows."""
    for table in _tables(rounds):
        output.print(table)


def _tables(rounds: list[dict[str, Any]]) -> list[RenderableType]:
    from mmst.runs.status import rounds_table, slices_table

    if not rounds:
        return []
    slices = slices_table(rounds)
    return [rounds_table(rounds), *([slices] if slices is not None else [])]


def _looks(run: RunDirectory, every: float) -> Iterator[dict[str, Any]]:
    """The status now, whenever a stage ends, and every so many seconds, until the run is no longer going on."""
    from mmst.runs.status import status_of

    before, said = None, 0.0
    while True:
        found = status_of(run)
        stages = {**found, "progress": None}
        if stages != before or time.monotonic() - said >= every:
            before, said = stages, time.monotonic()
            yield found
        if found["state"] != "running":
            return
        time.sleep(_LOOK_EVERY)


def _watch_live(run: RunDirectory, output: Console) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    with Live(console=output, transient=True, auto_refresh=False) as live:
        for found in _looks(run, _LOOK_EVERY):
            live.update(Group(*_tables(found["rounds"]), Text(_line(found))), refresh=True)


def _line(found: dict[str, Any]) -> str:
    """A status in one line, for a log: what goes on where something does, else what was last done."""
    from mmst.progress import duration

    head = f"{found['run']}: {found['state']}"
    if now := found["progress"]:
        pace, left = _pace(now) if now.get("total") else "", found.get("seconds_left")
        whole = "" if left is None else f"; about {duration(left)} left in the run"
        return f"{head}, round {now['round']}: {now['stage']}{pace}{whole}"
    if not found["rounds"]:
        return f"{head}, no stage is finished yet"
    last = found["rounds"][-1]
    return f"{head}, round {last['round']}: {last['stage']} done in {last['seconds'][last['stage']]:.0f} s"


def _pace(now: dict[str, Any]) -> str:
    from mmst.progress import duration, rate

    text = f", {now['done']:,} of {now['total']:,} {now['unit']}"
    if not now["per_second"]:
        return text
    left = (now["total"] - now["done"]) / now["per_second"]
    return f"{text}, {rate(now['per_second'], now['unit'])}, {duration(left)} left in this stage"


def _verdict(row: dict[str, Any]) -> str:
    """What verifying and filtering made of a solution, in one line."""
    if row["status"] == "turn":
        return f"a turn on the way ({row['role']})"
    parts = [row["status"] if row["answer"] is None else f"{row['status']}, answer {row['answer']}"]
    if row["origin_id"]:
        parts.append(f"from {row['origin_id']}")
    if row["kept"] is not None:
        label = f"label {row['label']} ({row['label_source']})" if row["label"] is not None else "no label"
        parts += [label, "kept" if row["kept"] else f"dropped ({row['reason']})"]
    return "; ".join(parts)


def _computed(row: dict[str, Any]) -> str:
    """What a straight-line program computed on its way; empty for anything else."""
    from mmst.methods import METHODS
    from mmst.verify.programs import values_by_line

    method = METHODS.get(row["method"])
    values = values_by_line(method.solution(row["text"])) if method and method.view == "program" else None
    return ", ".join(f"{name} = {value}" for _, name, value in values or ())
