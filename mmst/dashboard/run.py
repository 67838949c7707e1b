"""A run as the pages see it: what its manifests say now, whatever state its directory is in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.runs.directory import RoundDirectory, RunDirectory
from mmst.runs.live import PROGRESS
from mmst.runs.lock import holder_of
from mmst.runs.stages import STAGES
from mmst.runs.status import config_of, runs_under, status_of

STALE = 60.0
"""Seconds after which progress that nobody renewed is said to be old."""


@dataclass(frozen=True)
class Round:
    """One round: its finished stages' manifests."""

    directory: RoundDirectory
    manifests: Mapping[str, Mapping[str, Any]]

    @property
    def number(self) -> int:
        return self.directory.number

    def figures(self, stage: str) -> Mapping[str, Any]:
        """The figures of a finished stage; empty where it isn't finished or the manifest has none."""
        return self.manifests.get(stage, {}).get("figures") or {}

    def evaluation(self, name: str) -> Mapping[str, Any]:
        """The figures of `dev` or `test`."""
        return self.figures("evaluate").get(name) or {}

    @property
    def seconds(self) -> dict[str, float]:
        """Of each finished stage."""
        return {stage: float(manifest.get("seconds", 0.0)) for stage, manifest in self.manifests.items()}


@dataclass(frozen=True)
class Run:
    """One run. Where its directory is no readable run, `trouble` says why and the rest is empty."""

    name: str
    """What it is called in links; unique among those that are shown."""
    root: Path
    state: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)
    """`run.json`."""
    rounds: list[Round] = field(default_factory=list)
    progress: Mapping[str, Any] | None = None
    seconds_left: float | None = None
    """Until the last round ends, about; none where that isn't known."""
    trouble: str | None = None

    @property
    def methods(self) -> list[str]:
        return list(self.config.get("methods") or [])

    @property
    def done(self) -> list[Round]:
        """The rounds that were evaluated."""
        return [round_ for round_ in self.rounds if "evaluate" in round_.manifests]

    def round(self, number: int) -> Round | None:
        """The round of that number, none where it hasn't begun."""
        return next((round_ for round_ in self.rounds if round_.number == number), None)


def find_runs(paths: Iterable[Path]) -> dict[str, Path]:
    """Names for the runs at these paths: directories of runs, and directories that hold some (an experiment).

    A directory that holds none stands for itself: a run may yet begin there. Raises InputError for what is no
    directory.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: there is no such directory")
        found += ([] if (path / "config.yaml").exists() else runs_under(path)) or [path]
    named: dict[str, Path] = {}
    for path in dict.fromkeys(path.resolve() for path in found):
        name = path.name or "run"
        if name in named or any(name == other.name for other in found if other.resolve() != path):
            name = f"{path.parent.name}-{name}"
        number, base = 1, name
        while name in named:
            number += 1
            name = f"{base}-{number}"
        named[name] = path
    return named


def look(name: str, root: Path) -> Run:
    """The run in a directory, as it stands now. Never raises for what is or isn't there."""
    run = RunDirectory(root)
    if not root.is_dir():
        return Run(name, root, "gone", trouble="This directory is not there any more.")
    if not (root / "config.yaml").exists():
        what = "It is empty" if not any(root.iterdir()) else "It holds other things, but no config.yaml"
        why = f"There is no run in {root}. {what}: a run that starts there appears on this page by itself."
        return Run(name, root, "no run", trouble=why)
    try:
        status = status_of(run)
        rounds = [Round(directory, _manifests(directory)) for directory in run.rounds()]
        config = config_of(run)
        made = _json(root / "run.json")
    except InputError as error:
        return Run(name, root, "broken", trouble=str(error))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{root} cannot be read as a run of this version of mmst: {type(error).__name__}: {error}"
        return Run(name, root, "broken", trouble=why)
    return Run(name, root, status["state"], config, made, rounds, status["progress"], status["seconds_left"])


def token_of(root: Path) -> str:
    """Changes whenever there is something new to see: a manifest, a part, progress, the end of a process."""
    watched = [root / "config.yaml", root / PROGRESS, *root.glob("round-*/stages"), *_going(root)]
    return ";".join([str(holder_of(root)), *(f"{path.name}:{_moment(path)}" for path in watched)])


def _going(root: Path) -> list[Path]:
    last = sorted(root.glob("round-[0-9][0-9][0-9]"))[-1:]
    parts = [round_ / name for round_ in last for name in ("solutions", "translations")]
    return parts + [path for round_ in last for path in round_.glob("training*/progress.jsonl")]


def _moment(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _manifests(directory: RoundDirectory) -> dict[str, dict[str, Any]]:
    found = {}
    for stage in STAGES:
        path = directory.root / "stages" / f"{stage}.json"
        if moment := _moment(path):
            found[stage] = _manifest(directory, stage, moment)
    return found


@lru_cache(maxsize=4096)
def _manifest(directory: RoundDirectory, stage: str, moment: int) -> dict[str, Any]:
    """A manifest as it was at that moment of change."""
    manifest = directory.manifest(stage)
    return manifest if manifest is not None else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def age_of(progress: Mapping[str, Any]) -> float:
    """Seconds since a run last said how far it was."""
    return max(0.0, time.time() - float(progress.get("updated", 0.0)))
