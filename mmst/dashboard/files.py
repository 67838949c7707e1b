"""Which files of a run count: those that manifests name, and the finished parts of a stage that is going on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from mmst.dashboard.run import Round, Run
from mmst.stages.parts import finished

KINDS = ("native", "translated", "evaluation")
"""Of solutions: made for train problems, rewritten from those, answers to dev and test problems."""


def solution_files(run: Run, number: int | None, kind: str) -> dict[str, list[str]]:
    """The files with solutions, by kind: those that manifests name, of a stage that is going on the finished parts."""
    stages = {"native": "generate", "translated": "translate", "evaluation": "evaluate"}
    rounds = [r for r in run.rounds if number is None or r.number == number]
    return {
        each: [path for r in rounds for path in parts_of(r, stages[each])] for each in KINDS if not kind or kind == each
    }


def parts_of(round_: Round, stage: str) -> list[str]:
    """The files with solutions that a stage of a round has written."""
    manifest = round_.manifests.get(stage)
    root = round_.directory.root
    if manifest is None:
        folder = {"generate": round_.directory.solutions, "translate": round_.directory.translations}.get(stage)
        there = sorted(folder.glob("part-*.parquet")) if folder else []
        return [str(path) for path in there if _stands(path)]
    paths = [root / part["path"] for part in manifest.get("parts", [])]
    fates = round_.directory.fates.name
    return [str(path) for path in paths if path.suffix == ".parquet" and path.name != fates and path.exists()]


def problem_file(run: Run, name: str) -> str | None:
    """The file of a set of problems; none where the run has none of that name, or an empty one."""
    try:
        parts = json.loads((run.root / "problems" / "manifest.json").read_text(encoding="utf-8"))["parts"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    path = run.root / "problems" / f"{name}.jsonl"
    named = any(part.get("path") == path.name for part in parts)
    return str(path) if named and path.exists() and path.stat().st_size else None


_STANDING: dict[tuple[str, int, int], bool] = {}


def _stands(path: Path) -> bool:
    """Whether a part of a stage that is going on is whole; its bytes are looked at once."""
    mark = path.with_suffix(".json")
    if not mark.exists():
        return False
    key = (str(path), path.stat().st_mtime_ns, mark.stat().st_mtime_ns)
    if key not in _STANDING:
        _STANDING[key] = finished(path) is not None
    return _STANDING[key]


def fate_files(run: Run, number: int | None) -> list[str]:
    """The files with fates, of all rounds or one."""
    return [path for r in run.rounds if number is None or r.number == number for path in _fates(r)]


def _fates(round_: Round) -> Iterator[str]:
    places = {
        "filter": round_.directory.fates,
        "translate": round_.directory.translations / round_.directory.fates.name,
    }
    for stage, path in places.items():
        if stage in round_.manifests and path.exists():
            yield str(path)
