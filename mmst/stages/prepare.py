"""Prepare: the problems of a run are written into it once, and read from there ever after."""

from __future__ import annotations

import json

from mmst.config import Config
from mmst.errors import InputError
from mmst.files import checksum, new_file, write_json
from mmst.problems.read import read_problems, write_problems
from mmst.problems.sets import SETS, ProblemSets
from mmst.progress import Reporter
from mmst.records import Problem
from mmst.runs.directory import RunDirectory, file_fault


def prepare(run: RunDirectory, config: Config, sets: ProblemSets | None, report: Reporter) -> dict[str, list[Problem]]:
    """Write the sets as `problems/*.jsonl` unless that is done; returns them. `sets` none reads what stands."""
    manifest = run.problems / "manifest.json"
    if not manifest.exists() and run.rounds():
        raise InputError(f"{manifest}: is missing, though rounds have begun; restore it or begin a new run")
    if sets is None and not manifest.exists():
        from mmst.problems.sets import read_sets

        sets = read_sets(config.problems, config.seed)
    if sets is None:
        _intact(run)
        return {name: read_problems(str(run.problems / f"{name}.jsonl")) if _filled(run, name) else [] for name in SETS}
    run.problems.mkdir(exist_ok=True)
    parts = []
    for name, problems in sets.by_name().items():
        path = run.problems / f"{name}.jsonl"
        with new_file(path) as temporary:
            write_problems(temporary, problems)
        parts.append({"path": path.name, "rows": len(problems), "checksum": checksum(path)})
    write_json(manifest, {"parts": parts, "removed": sets.removed})
    counts = ", ".join(f"{len(problems):,} {name}" for name, problems in sets.by_name().items())
    taken = "".join(f"; {count} of {name} removed as overlap" for name, count in sets.removed.items())
    report.line(f"problems: {counts}{taken}")
    return sets.by_name()


def _intact(run: RunDirectory) -> None:
    """Raises InputError for problems that are not those that the run began with."""
    manifest = run.problems / "manifest.json"
    try:
        parts = {part["path"]: part["checksum"] for part in json.loads(manifest.read_text())["parts"]}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{manifest}: is not a manifest ({error}); restore it or begin a new run") from error
    for name, expected in parts.items():
        if fault := file_fault(run.problems / name, expected):
            raise InputError(f"{run.problems / name}: {fault}. Restore it or begin a new run")


def _filled(run: RunDirectory, name: str) -> bool:
    return (run.problems / f"{name}.jsonl").stat().st_size > 0
