"""The files of a run that count: those named by manifests, and the finished parts of a stage in progress."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmst.dashboard.run import Round, Run
from mmst.stages.sampling import finished

KINDS = {
    "native": ("generate", "filter"),
    "rationalized": ("rationalize", "rationalize"),
    "translated": ("translate", "translate"),
    "evaluation": ("evaluate", ""),
}
"""Kinds of solutions: the stage that writes them, and the stage that decides which are kept."""


@dataclass(frozen=True)
class Written:
    """The files with a round's solutions of one kind, and the file with the decisions on them."""

    round: Round
    kind: str
    files: list[str]
    decisions: str | None

    @property
    def done(self) -> bool:
        """Whether the stage that writes them is finished."""
        return KINDS[self.kind][0] in self.round.manifests


def solution_files(run: Run, number: int | None = None, kind: str = "") -> Iterator[Written]:
    """Files with solutions, of one round or all, of one kind or all; nothing for a kind without files."""
    for round_ in run.rounds:
        for each, (stage, decided_by) in KINDS.items():
            wanted = number in (None, round_.number) and kind in ("", each)
            if wanted and (files := parts_of(round_, stage)):
                path = _folder(round_, decided_by) / round_.directory.decisions.name
                decisions = str(path) if decided_by in round_.manifests and path.exists() else None
                yield Written(round_, each, files, decisions)


def parts_of(round_: Round, stage: str) -> list[str]:
    """The files with solutions that a stage of a round has written; a path out of the round is not followed."""
    manifest, root = round_.manifests.get(stage), round_.directory.root
    if manifest is None:
        folder = round_.directory.solutions if stage == "generate" else _folder(round_, stage)
        return [str(path) for path in sorted(folder.glob("part-*.parquet")) if _intact(path)]
    paths = [root / part["path"] for part in manifest.get("parts", [])]
    inside = [path for path in paths if path.exists() and path.resolve().is_relative_to(root.resolve())]
    decisions = round_.directory.decisions.name
    return [str(path) for path in inside if path.suffix == ".parquet" and path.name != decisions]


def _folder(round_: Round, stage: str) -> Path:
    directory = round_.directory
    return {"rationalize": directory.rationalizations, "translate": directory.translations}.get(stage, directory.root)


def problem_file(run: Run, name: str) -> str | None:
    """The file of a set of problems; None if the run has no such set or it is empty."""
    try:
        parts = json.loads((run.root / "problems" / "manifest.json").read_text(encoding="utf-8"))["parts"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    path = run.root / "problems" / f"{name}.jsonl"
    named = any(part.get("path") == path.name for part in parts)
    return str(path) if named and path.exists() and path.stat().st_size else None


_INTACT: dict[tuple[str, int, int], bool] = {}


def _intact(path: Path) -> bool:
    """Whether a part of a stage in progress is complete; its checksum is computed once."""
    mark = path.with_suffix(".json")
    if not mark.exists():
        return False
    key = (str(path), path.stat().st_mtime_ns, mark.stat().st_mtime_ns)
    if key not in _INTACT:
        _INTACT[key] = finished(path) is not None
    return _INTACT[key]
