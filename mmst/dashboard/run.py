"""A run as its manifests describe it at this moment, whatever the state of its directory."""

from __future__ import annotations

import json
import time
from collections import Counter
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
"""Age in seconds from which a progress report is shown as old."""


@dataclass(frozen=True)
class Round:
    """One round with the manifests of its finished stages."""

    directory: RoundDirectory
    manifests: Mapping[str, Mapping[str, Any]]

    @property
    def number(self) -> int:
        return self.directory.number

    def figures(self, stage: str) -> Mapping[str, Any]:
        """The figures of a stage; empty if it is not finished."""
        return self.manifests.get(stage, {}).get("figures") or {}

    def evaluation(self, name: str) -> Mapping[str, Any]:
        """The figures of `dev` or `test`."""
        return self.figures("evaluate").get(name) or {}

    @property
    def seconds(self) -> dict[str, float]:
        """Duration of each finished stage."""
        return {stage: float(manifest.get("seconds", 0.0)) for stage, manifest in self.manifests.items()}


@dataclass(frozen=True)
class Run:
    """One run. If its directory holds no readable run, `trouble` says why and the other fields are empty."""

    name: str
    """Its name in links, unique in this dashboard."""
    root: Path
    state: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)
    """`run.json`."""
    rounds: list[Round] = field(default_factory=list)
    progress: Mapping[str, Any] | None = None
    seconds_left: float | None = None
    """Estimate until the last round ends, None if unknown."""
    trouble: str | None = None

    @property
    def methods(self) -> list[str]:
        return list(self.config.get("methods") or [])

    @property
    def done(self) -> list[Round]:
        """The rounds that were evaluated."""
        return [round_ for round_ in self.rounds if "evaluate" in round_.manifests]

    def round(self, number: int) -> Round | None:
        """The round with this number; None if it has not begun."""
        return next((round_ for round_ in self.rounds if round_.number == number), None)


def find_runs(paths: Iterable[Path]) -> dict[str, Path]:
    """Names for the runs at these paths, which are run directories or contain some (an experiment).

    A directory without a run is listed as well, since a run may start there. Raises InputError for a path that is not
    a directory.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: no such directory")
        found += ([] if (path / "config.yaml").exists() else runs_under(path)) or [path]
    places = list(dict.fromkeys(path.resolve() for path in found))
    same = Counter(path.name for path in places)
    named: dict[str, Path] = {}
    for path in places:
        name = base = path.name or "run" if same[path.name] == 1 else f"{path.parent.name}-{path.name}"
        number = 1
        while name in named:
            number += 1
            name = f"{base}-{number}"
        named[name] = path
    return named


def look(name: str, root: Path) -> Run:
    """The current state of the run in a directory. Never raises."""
    if not root.is_dir():
        return Run(name, root, "gone", trouble="This directory no longer exists.")
    if not (root / "config.yaml").exists():
        what = "is empty" if not any(root.iterdir()) else "has no config.yaml"
        why = f"{root} holds no run: it {what}. A run that starts there will appear on this page."
        return Run(name, root, "no run", trouble=why)
    run = RunDirectory(root)
    try:
        status = status_of(run)
        rounds = [Round(directory, _manifests(directory)) for directory in run.rounds()]
        config = config_of(run)
    except InputError as error:
        return Run(name, root, "unreadable", trouble=str(error))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{root}: is not readable as a run of this version of mmst ({type(error).__name__}: {error})"
        return Run(name, root, "unreadable", trouble=why)
    made = _json(root / "run.json")
    return Run(name, root, status["state"], config, made, rounds, status["progress"], status["seconds_left"])


def token_of(root: Path) -> str:
    """A string that changes when a page may show something new: a manifest, a part, progress, the end of a process."""
    last = sorted(root.glob("round-[0-9][0-9][0-9]"))[-1:]
    watched = [root / "config.yaml", root / PROGRESS, *root.glob("round-*/stages")]
    for round_ in last:
        watched += [round_ / "solutions", round_ / "translations", *round_.glob("training*/progress.jsonl")]
    return ";".join([str(holder_of(root)), *(f"{path.name}:{_modified(path)}" for path in watched)])


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _manifests(directory: RoundDirectory) -> dict[str, dict[str, Any]]:
    found = {}
    for stage in STAGES:
        if modified := _modified(directory.manifest_path(stage)):
            found[stage] = _manifest(directory, stage, modified)
    return found


@lru_cache(maxsize=4096)
def _manifest(directory: RoundDirectory, stage: str, modified: int) -> dict[str, Any]:
    return directory.manifest(stage) or {}


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def age_of(progress: Mapping[str, Any]) -> float:
    """Seconds since a run last wrote its progress."""
    return max(0.0, time.time() - float(progress.get("updated", 0.0)))
