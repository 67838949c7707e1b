"""Which files of a run count: those that manifests name, and the finished parts of a stage that is going on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmst.dashboard.run import Round, Run
from mmst.stages.parts import finished

KINDS = {"native": "generate", "rationalized": "rationalize", "translated": "translate", "evaluation": "evaluate"}
"""Of solutions, with the stage that writes them: made for train problems, made with the answer at hand, rewritten from
these, answers to dev and test problems."""


@dataclass(frozen=True)
class Written:
    """The files with the solutions of one kind that a round has written, and the one with their decisions."""

    round: Round
    kind: str
    files: list[str]
    decisions: str | None

    @property
    def done(self) -> bool:
        """Whether the stage that writes them has ended."""
        return KINDS[self.kind] in self.round.manifests


def solution_files(run: Run, number: int | None = None, kind: str = "") -> Iterator[Written]:
    """What there is of a round, or of all; of a kind, or of each. Where there are no files, nothing is yielded."""
    for round_ in run.rounds:
        for each, stage in KINDS.items():
            wanted = number in (None, round_.number) and kind in ("", each)
            if wanted and (files := parts_of(round_, stage)):
                yield Written(round_, each, files, _decisions(round_, each))


def parts_of(round_: Round, stage: str) -> list[str]:
    """The files with solutions that a stage of a round has written."""
    manifest = round_.manifests.get(stage)
    directory = round_.directory
    if manifest is None:
        folders = {
            "generate": directory.solutions,
            "rationalize": directory.rationalizations,
            "translate": directory.translations,
        }
        folder = folders.get(stage)
        there = sorted(folder.glob("part-*.parquet")) if folder else []
        return [str(path) for path in there if _stands(path)]
    paths = [directory.root / part["path"] for part in manifest.get("parts", [])]
    decisions = directory.decisions.name
    return [str(path) for path in paths if path.suffix == ".parquet" and path.name != decisions and path.exists()]


def _decisions(round_: Round, kind: str) -> str | None:
    directory = round_.directory
    stage, folder = {
        "native": ("filter", directory.root),
        "rationalized": ("rationalize", directory.rationalizations),
        "translated": ("translate", directory.translations),
    }.get(kind, ("", directory.root))
    path = folder / directory.decisions.name
    return str(path) if stage in round_.manifests and path.exists() else None


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
