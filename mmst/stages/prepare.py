"""Prepare: write the problems of a run into it once; later starts read them from there."""

from __future__ import annotations

from mmst.config import Config
from mmst.errors import InputError
from mmst.files import checksum, new_file, write_json
from mmst.foreign import read_json
from mmst.problems.read import read_problems, write_problems
from mmst.problems.sets import SETS, ProblemSets, read_sets
from mmst.progress import Reporter
from mmst.records import Problem
from mmst.runs.directory import RunDirectory, file_fault
from mmst.runs.manifests import Problems


def prepare(run: RunDirectory, config: Config, sets: ProblemSets | None, report: Reporter) -> dict[str, list[Problem]]:
    """Write the sets as `problems/*.jsonl`, or read those of the run if `sets` is None. Returns them by name."""
    manifest = run.problems / "manifest.json"
    if not manifest.exists() and run.rounds():
        raise InputError(f"{manifest}: is missing, though rounds have begun; restore it or begin a new run")
    if sets is None and manifest.exists():
        return _read(run)
    sets = sets or read_sets(config.problems, config.seed)
    run.problems.mkdir(exist_ok=True)
    parts = []
    for name, problems in sets.by_name().items():
        path = run.problems / f"{name}.jsonl"
        with new_file(path) as temporary:
            write_problems(temporary, problems)
        parts.append({"path": path.name, "rows": len(problems), "checksum": checksum(path)})
    write_json(manifest, {"parts": parts, "removed": sets.removed})
    counts = ", ".join(f"{len(problems):,} {name}" for name, problems in sets.by_name().items())
    removed = "".join(f"; {count} of {name} removed as overlap" for name, count in sets.removed.items())
    report.line(f"problems: {counts}{removed}")
    return sets.by_name()


def _read(run: RunDirectory) -> dict[str, list[Problem]]:
    """The problems that the run began with. Raises InputError if they were modified since."""
    manifest = run.problems / "manifest.json"
    try:
        parts = {part.path: part.checksum for part in read_json(manifest, Problems).parts}
    except InputError as error:
        raise InputError(f"{error}; restore it or begin a new run") from error
    for name, expected in parts.items():
        if fault := file_fault(run.problems / name, expected):
            raise InputError(f"{run.problems / name}: {fault}; restore it or begin a new run")
    paths = {name: run.problems / f"{name}.jsonl" for name in SETS}
    return {name: read_problems(str(path)) if path.stat().st_size else [] for name, path in paths.items()}
