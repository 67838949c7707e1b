"""The status of a run, read from its manifests, and `rounds.jsonl`, a copy of it for people and tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from rich import box
from rich.table import Table

from mmst.config.file import read_yaml
from mmst.errors import InputError
from mmst.files import write_text
from mmst.foreign import Name, checked
from mmst.runs.directory import RoundDirectory, RunDirectory
from mmst.runs.live import read_progress
from mmst.runs.remaining import seconds_left
from mmst.runs.stages import STAGES
from mmst.runs.storage import holder_in


def stop_reason(run: RunDirectory, most: int, patience: int) -> str | None:
    """Why a run ends after its last finished round; None if it continues.

    It ends after `most` rounds, or after `patience` rounds in a row that were not promoted.
    """
    done = [round_.number for round_ in run.rounds() if round_.done("promote")]
    if not done:
        return None
    if (failures := failures_in_a_row(run, done[-1])) >= patience:
        return f"{failures} round{'s' if failures > 1 else ''} in a row did not help on dev problems"
    if done[-1] >= most:
        return f"all {most} rounds are done"
    return None


def failures_in_a_row(run: RunDirectory, number: int) -> int:
    """The number of rounds up to `number` since the last promoted one."""
    count = 0
    while number - count > 0 and not _promoted(run.round(number - count)):
        count += 1
    return count


def _promoted(round_: RoundDirectory) -> bool:
    manifest = round_.manifest("promote")
    if manifest is None:
        raise InputError(
            f"{round_.manifest_path('promote')}: is missing, though a later round is done; restore it, or remove the "
            "later rounds to redo them"
        )
    return bool(manifest["figures"]["promoted"])


def run_at(path: Path) -> RunDirectory:
    """The run in a directory. Raises InputError if there is none, or one that this version cannot read."""
    if not path.is_dir():
        raise InputError(f"{path}: is no run directory (it {'is a file' if path.exists() else 'does not exist'})")
    if not (path / "config.yaml").exists():
        if runs := runs_under(path):
            raise InputError(f"{path}: is no run directory, but holds some: {', '.join(str(r) for r in runs[:5])}")
        empty = not any(path.iterdir())
        raise InputError(f"{path}: is no run directory (it {'is empty' if empty else 'has no config.yaml'})")
    run = RunDirectory(path)
    config_of(run)
    return run


def runs_under(root: Path, depth: int = 4) -> list[Path]:
    """The run directories below a directory, including those of experiments, by name."""
    if (root / "config.yaml").exists() and ((root / "run.json").exists() or (root / "problems").is_dir()):
        return [root]
    if not depth or not root.is_dir():
        return []
    inside = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [run for path in inside for run in runs_under(path, depth - 1)]


def config_of(run: RunDirectory) -> dict[str, Any]:
    """The configuration of a run as written. Raises InputError for a run of another format or a broken file."""
    run.check_format()
    path = run.root / "config.yaml"
    tree = read_yaml(path)
    checked(tree, _Needed, str(path))
    return tree


class _Needed(BaseModel):
    """What a status needs of a configuration."""

    class Rounds(BaseModel):
        max: int = Field(ge=0)
        patience: int = Field(ge=1)

    name: Name
    rounds: Rounds
    methods: list[Name]


def status_of(run: RunDirectory, place: str | Path | None = None) -> dict[str, Any]:
    """What `mmst status --json` prints. `place` is the address of the run if `run` is a copy from an object store.

    `progress` describes the running stage (see `mmst.progress`), `seconds_left` the time until the last round ends
    (see `mmst.runs.remaining`). Raises InputError for manifests of another version.
    """
    config = config_of(run)
    try:
        rounds = [round_status(round_) for round_ in run.rounds() if any(round_.done(stage) for stage in STAGES)]
        state = _state(run, rounds, config, place or run.root)
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{run.root}: its manifests are of another version of mmst ({error!r})") from error
    progress = read_progress(run.root) if state == "running" else None
    left = seconds_left(rounds, config["rounds"]["max"], progress)
    where = {"run": config["name"], "path": str(place or run.root), "state": state}
    return {**where, "rounds": rounds, "progress": progress, "seconds_left": left}


def round_status(round_: RoundDirectory) -> dict[str, Any]:
    """The main figures of a round, and the last stage that is done."""
    manifests = {stage: manifest for stage in STAGES if (manifest := round_.manifest(stage))}
    evaluation = round_.figures("evaluate")
    test = evaluation.get("test", {})
    train = round_.figures("train")
    return {
        "round": round_.number,
        "stage": next((stage for stage in reversed(STAGES) if stage in manifests), None),
        "accuracy": test.get("accuracy"),
        "intervals": test.get("intervals"),
        "n": test.get("n"),
        "slices": test.get("slices"),
        "dev": evaluation.get("dev", {}).get("accuracy"),
        "pool": sum(n for kind, n in train.get("rows", {}).items() if not kind.endswith((" view", " pair"))),
        "promoted": round_.figures("promote").get("promoted"),
        "seconds": {stage: manifest["seconds"] for stage, manifest in manifests.items()},
    }


def write_rounds(run: RunDirectory) -> None:
    """Rebuild `rounds.jsonl` from the manifests."""
    rows = [json.dumps(round_status(round_), default=str) for round_ in run.rounds()]
    write_text(run.root / "rounds.jsonl", "".join(row + "\n" for row in rows))


def round_line(round_: RoundDirectory) -> str:
    """A finished round in one line for a terminal or a log."""
    status = round_status(round_)
    accuracy = ", ".join(f"{name} {value:.1%}" for name, value in (status["accuracy"] or {}).items())
    held = "promoted" if status["promoted"] else "not promoted"
    seconds = sum(status["seconds"].values())
    return f"round {status['round']} done in {seconds:.0f} s: {accuracy} of {status['n']} test problems; {held}"


def rounds_table(rounds: list[dict[str, Any]]) -> Table:
    """Rounds with their accuracies on test problems."""
    names = list(dict.fromkeys(name for r in rounds for name in (r["accuracy"] or {})))
    counts = {r["n"] for r in rounds if r["n"]}
    table = _table(f"accuracy on {max(counts, default=0)} test problems by round, % and 95 % interval")
    for column in ("round", *names, "pool", "promoted", "s"):
        table.add_column(column, justify="right", no_wrap=True)
    for r in rounds:
        held = {True: "yes", False: "no", None: "-"}[r["promoted"]]
        accuracies = [_cell(r, name) for name in names]
        table.add_row(str(r["round"]), *accuracies, str(r["pool"]), held, f"{sum(r['seconds'].values()):.0f}")
    return table


def slices_table(rounds: list[dict[str, Any]]) -> Table | None:
    """Accuracies by kind of test problem; None if the problems have no kinds."""
    names = list(dict.fromkeys(name for r in rounds for name in (r["slices"] or {})))
    if not names:
        return None
    title = "accuracy by kind of test problem (new: unlike any training problem), %"
    table = _table(title)
    methods = [m for m in rounds[-1]["accuracy"] or {} if m != "any"]
    for column in ("", "n", *(f"round {r['round']}: {'/'.join(methods)}" for r in rounds)):
        table.add_column(column, justify="right")
    for name in names:
        parts = [(r["slices"] or {}).get(name) for r in rounds]
        cells = ["/".join(f"{100 * part['accuracy'][m]:.0f}" for m in methods) if part else "-" for part in parts]
        n = next((str(part["n"]) for part in parts if part), "-")
        table.add_row(name.replace("_", " "), n, *cells)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))


def _cell(row: dict[str, Any], name: str) -> str:
    value = (row["accuracy"] or {}).get(name)
    if value is None:
        return "-"
    interval = (row["intervals"] or {}).get(name)
    return f"{100 * value:.1f}" + (f" {100 * interval[0]:.0f}-{100 * interval[1]:.0f}" if interval else "")


def _state(run: RunDirectory, rounds: list[dict[str, Any]], config: dict[str, Any], place: str | Path) -> str:
    """finished, running (a process holds the lock), stopped (the filter kept nothing), or interrupted."""
    if stop_reason(run, config["rounds"]["max"], config["rounds"]["patience"]):
        return "finished"
    if holder_in(place):
        return "running"
    last = run.round(rounds[-1]["round"]).figures("filter") if rounds else {}
    return "stopped" if last.get("kept") == 0 else "interrupted"
