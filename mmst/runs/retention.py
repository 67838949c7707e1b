"""Which checkpoints of a run can be removed, and removing them."""

from __future__ import annotations

import shutil
from pathlib import Path

from mmst.files import PARTIAL
from mmst.runs.directory import RoundDirectory, RunDirectory, write_manifest
from mmst.runs.space import bytes_under
from mmst.runs.stages import STAGES


def superfluous(run: RunDirectory, keep: int) -> list[Path]:
    """The checkpoint directories that can be removed if those of the newest `keep` rounds stay.

    These also stay: the checkpoint that the run holds, that of round 0 (where a model from scratch starts), the one
    with the best mean accuracy on dev, and those of an unfinished round. A new model as it was before training
    (`initial`) can be removed from every finished round. Links, and directories that no manifest lists, are left alone.
    """
    finished = [round_ for round_ in run.rounds() if round_.done("promote")]
    trained = [round_ for round_ in finished if round_.done("train")]
    if not trained:
        return []
    held = finished[-1].figures("promote")["round"]
    stay = {0, held, max(trained, key=_dev).number, *(round_.number for round_ in trained[-keep:])}
    found = []
    for round_ in trained:
        manifest = round_.manifest("train") or {"parts": []}
        listed = {part["path"] for part in manifest["parts"]} if round_.number not in stay else set()
        for name in sorted(listed | {"checkpoints/initial"}):
            directory = round_.root / name
            inside = directory.resolve() == run.root.resolve() / round_.root.name / name
            if name.startswith("checkpoints/") and inside and directory.is_dir():
                found.append(directory)
    return found


def _dev(round_: RoundDirectory) -> tuple[float, int]:
    """Mean accuracy of the methods on dev problems; of equals the later round is better."""
    figures = round_.figures("evaluate").get("dev", {})
    values = [value for name, value in (figures.get("accuracy") or {}).items() if name not in ("vote", "any")]
    return (sum(values) / len(values) if values else 0.0), round_.number


def remove_checkpoints(run: RunDirectory, directories: list[Path]) -> int:
    """Remove checkpoints; returns the number of bytes freed.

    Raises InputError, and removes nothing, if a checkpoint that stays is damaged.
    A directory is marked in its manifests, then renamed to what a later start removes too, then removed.
    """
    for round_ in run.rounds() if directories else ():
        if round_.done("train") and round_.checkpoint.is_dir() and round_.checkpoint not in directories:
            round_.intact("train")
    freed = sum(map(bytes_under, directories))
    for directory in directories:
        round_ = run.round(int(directory.parent.parent.name.removeprefix("round-")))
        _mark(round_, str(directory.relative_to(round_.root)))
        shutil.rmtree(directory.rename(directory.with_name(f".{directory.name}{PARTIAL}")))
    return freed


def _mark(round_: RoundDirectory, name: str) -> None:
    """Mark a directory as removed in every manifest of a round that lists it or a file in it."""
    for stage in STAGES:
        manifest = round_.manifest(stage) or {"parts": []}
        parts = [part for part in manifest["parts"] if part["path"] == name or part["path"].startswith(f"{name}/")]
        for part in parts:
            part["removed"] = True
        if parts:
            write_manifest(round_.manifest_path(stage), manifest)
