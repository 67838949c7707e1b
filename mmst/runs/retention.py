"""Which checkpoints of a run stay: the best by dev, the newest ones, and whatever a next round starts from."""

from __future__ import annotations

import shutil
from pathlib import Path

from mmst.runs.directory import RoundDirectory, RunDirectory, write_manifest
from mmst.runs.space import bytes_under
from mmst.runs.stages import STAGES


def superfluous(run: RunDirectory, keep: int) -> list[Path]:
    """Checkpoint directories that may go when the newest `keep` are to stay.

    Never among them: the checkpoint that the loop holds, round 0's (a model from scratch starts there), the one with
    the best mean accuracy on dev, and those of a round that is not finished. A new model as it was before
    training (`initial`) may go from every finished round.
    """
    finished = [round_ for round_ in run.rounds() if round_.done("promote")]
    trained = [round_ for round_ in finished if round_.done("train")]
    if not trained:
        return []
    held = finished[-1].figures("promote")["round"]
    stay = {0, held, max(trained, key=_dev).number, *(round_.number for round_ in trained[-keep:])}
    found = []
    for round_ in finished:
        for directory in sorted((round_.root / "checkpoints").glob("*")):
            if directory.is_dir() and (directory.name == "initial" or round_.number not in stay):
                found.append(directory)
    return found


def _dev(round_: RoundDirectory) -> tuple[float, int]:
    """Mean accuracy of the methods on dev problems; of equals the later round is better."""
    figures = round_.figures("evaluate").get("dev", {})
    values = [value for name, value in (figures.get("accuracy") or {}).items() if name not in ("vote", "any")]
    return (sum(values) / len(values) if values else 0.0), round_.number


def remove_checkpoints(run: RunDirectory, directories: list[Path]) -> int:
    """Remove checkpoints, after their manifests say so; returns how many bytes that freed."""
    freed = sum(map(bytes_under, directories))
    for directory in directories:
        round_ = run.round(int(directory.parent.parent.name.removeprefix("round-")))
        _mark(round_, str(directory.relative_to(round_.root)))
        shutil.rmtree(directory)
    return freed


def _mark(round_: RoundDirectory, name: str) -> None:
    """Say in every manifest of a round that names the directory, or something in it, that it was removed."""
    for stage in STAGES:
        manifest = round_.manifest(stage) or {"parts": []}
        parts = [part for part in manifest["parts"] if part["path"] == name or part["path"].startswith(f"{name}/")]
        for part in parts:
            part["removed"] = True
        if parts:
            write_manifest(round_.manifest_path(stage), manifest)
