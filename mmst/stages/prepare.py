"""Prepare: the problems of a run are written into it once, and read from there ever after."""

from __future__ import annotations

from mmst.config import Config
from mmst.problems.read import read_problems, write_problems
from mmst.problems.record import Problem
from mmst.problems.sets import SETS, ProblemSets
from mmst.progress import Reporter
from mmst.runs.directory import RunDirectory
from mmst.runs.files import checksum, write_json


def prepare(run: RunDirectory, config: Config, sets: ProblemSets | None, report: Reporter) -> dict[str, list[Problem]]:
    """Write the sets as `problems/*.jsonl` unless that is done; returns them. `sets` none reads what stands."""
    manifest = run.problems / "manifest.json"
    if sets is None and not manifest.exists():
        from mmst.problems.sets import read_sets

        sets = read_sets(config.problems, config.seed)
    if sets is None:
        return {name: read_problems(str(run.problems / f"{name}.jsonl")) if _filled(run, name) else [] for name in SETS}
    run.problems.mkdir(exist_ok=True)
    parts = []
    for name, problems in sets.by_name().items():
        path = run.problems / f"{name}.jsonl"
        write_problems(path, problems)
        parts.append({"path": path.name, "rows": len(problems), "checksum": checksum(path)})
    write_json(manifest, {"parts": parts, "removed": sets.removed})
    counts = ", ".join(f"{len(problems):,} {name}" for name, problems in sets.by_name().items())
    taken = "".join(f"; {count} of {name} removed as overlap" for name, count in sets.removed.items())
    report.line(f"problems: {counts}{taken}")
    return sets.by_name()


def _filled(run: RunDirectory, name: str) -> bool:
    return (run.problems / f"{name}.jsonl").stat().st_size > 0
