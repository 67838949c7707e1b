"""The run directory: rounds, stages, and the manifest that is a stage's commit.

A stage counts as done when `round-<rrr>/stages/<stage>.json` stands. Everything it wrote is listed there with row
counts and checksums; what no manifest names does not count.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.files import append_line, checksum, write_json
from mmst.runs.storage import committed

_WAYS_OUT = "restore it, or have the stage done again: remove it and the manifests of all stages after it"


@dataclass
class Commit:
    """What a stage that is going on will put into its manifest."""

    parts: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    engines: list[dict[str, Any]] = field(default_factory=list)
    """How each checkpoint that the stage used came into the engine, with the proof that it holds it."""

    @contextlib.contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Add the time that the block takes to `seconds[what]`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[what] = round(self.seconds.get(what, 0.0) + time.monotonic() - start, 3)


@dataclass(frozen=True)
class RoundDirectory:
    """`round-<rrr>/` of a run."""

    root: Path
    number: int
    metrics: Path

    @property
    def solutions(self) -> Path:
        return self.root / "solutions"

    @property
    def decisions(self) -> Path:
        return self.root / "decisions.parquet"

    @property
    def rationalizations(self) -> Path:
        return self.root / "rationalizations"

    @property
    def translations(self) -> Path:
        return self.root / "translations"

    @property
    def pool(self) -> Path:
        return self.root / "pool.parquet"

    @property
    def checkpoint(self) -> Path:
        return self.root / "checkpoints" / "solver"

    @property
    def evaluation(self) -> Path:
        return self.root / "evaluation"

    def manifest_path(self, stage: str) -> Path:
        """Where the manifest of a stage is once it is finished."""
        return self.root / "stages" / f"{stage}.json"

    def manifest(self, stage: str) -> dict[str, Any] | None:
        """The manifest of a finished stage, none where it isn't finished. Raises InputError for one that is broken,
        was changed, or is of something else."""
        path = self.manifest_path(stage)
        try:
            manifest = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise InputError(f"{path}: is not a manifest ({error}); {_WAYS_OUT}") from error
        if not isinstance(manifest, dict) or manifest.get("stage") != stage or manifest.get("round") != self.number:
            raise InputError(f"{path}: is not the manifest of stage {stage} of round {self.number}")
        if lacking := [name for name in ("seconds", "parts", "figures") if name not in manifest]:
            raise InputError(f"{path}: is half-written or of another version of mmst (it lacks {', '.join(lacking)})")
        if manifest.pop("seal", seal := _seal(manifest)) != seal:
            raise InputError(f"{path}: is not what was written: damaged or changed; {_WAYS_OUT}")
        return manifest

    def done(self, stage: str) -> bool:
        """Whether the stage is finished."""
        return self.manifest(stage) is not None

    def figures(self, stage: str) -> dict[str, Any]:
        """The figures of a finished stage; empty where it isn't finished."""
        return (self.manifest(stage) or {}).get("figures", {})

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[Commit]:
        """Do a stage: the manifest is written when the block ends well."""
        commit, start = Commit(), time.monotonic()
        yield commit
        seconds = round(time.monotonic() - start, 3)
        manifest = {
            "stage": name,
            "round": self.number,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "seconds": seconds,
            "parts": commit.parts,
            "figures": commit.figures,
            "spent": commit.seconds,
            "engines": commit.engines,
        }
        write_manifest(self.manifest_path(name), manifest)
        append_line(self.metrics, self.metrics_line(name))
        committed(self.root)

    def metrics_line(self, stage: str) -> dict[str, Any]:
        """What `metrics.jsonl` says of a finished stage."""
        manifest = self.manifest(stage) or {}
        line = {"round": self.number, "stage": stage, **{name: manifest.get(name) for name in ("seconds", "spent")}}
        return line | manifest.get("figures", {}) | line  # a promotion's figures have a `round` of their own

    def part(self, path: Path, rows: int | None = None) -> dict[str, Any]:
        """The entry of a file or directory in a manifest."""
        entry: dict[str, Any] = {"path": str(path.relative_to(self.root)), "checksum": checksum(path)}
        return entry if rows is None else {**entry, "rows": rows}

    def part_paths(self, stage: str) -> list[Path]:
        """The files that a finished stage committed, in order. Raises InputError as `intact`."""
        self.intact(stage)
        manifest = self.manifest(stage)
        return [self.root / part["path"] for part in manifest["parts"]] if manifest else []

    def intact(self, stage: str) -> None:
        """Make sure, once per process, that what a finished stage committed is what is there.

        Raises InputError that names what is missing or was changed: nothing damaged is ever used silently.
        """
        for part in (self.manifest(stage) or {"parts": []})["parts"]:
            path = self.root / part["path"]
            if not part.get("removed") and (fault := file_fault(path, part["checksum"])):
                raise InputError(
                    f"{path}: {fault}. Restore it; or have the stage done again: remove {self.manifest_path(stage)}, "
                    "the manifests of the stages after it, and later rounds"
                )


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest with a seal, by which a later change of it is found."""
    plain = json.loads(json.dumps(manifest, default=str))
    write_json(path, {**plain, "seal": _seal(plain)})


def _seal(manifest: Mapping[str, Any]) -> str:
    text = json.dumps({name: value for name, value in manifest.items() if name != "seal"}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@functools.cache
def file_fault(path: Path, expected: str) -> str | None:
    """What is wrong with a file or directory that must have this checksum; looked at once per process."""
    if not path.exists():
        return "is missing, though its manifest names it"
    return None if checksum(path) == expected else "is not what its manifest says: damaged or changed"


@dataclass(frozen=True)
class RunDirectory:
    """`runs/<name>/`."""

    root: Path

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"

    @property
    def problems(self) -> Path:
        return self.root / "problems"

    def round(self, number: int) -> RoundDirectory:
        """The directory of a round, whether it exists or not."""
        return RoundDirectory(self.root / f"round-{number:03d}", number, self.metrics)

    def rounds(self) -> list[RoundDirectory]:
        """The rounds that have begun."""
        found = sorted(int(p.name.removeprefix("round-")) for p in self.root.glob("round-[0-9][0-9][0-9]"))
        return [self.round(number) for number in found]

    def gaps(self, stages: Callable[[int], Iterable[str]]) -> Iterator[tuple[Path, str]]:
        """Manifests that must have been lost, since one of a later stage is there, each with what is wrong; `stages`
        names the stages of a round."""
        missing = None
        for number in range(max((round_.number for round_ in self.rounds()), default=-1) + 1):
            for stage in stages(number):
                path = self.round(number).manifest_path(stage)
                if not path.exists():
                    missing = missing or path
                elif missing:
                    yield missing, f"is missing, though {stage} of round {number} is done"
                    missing = None
