"""The run directory: rounds, stages, and the manifest that commits a stage.

A stage is done when `round-<rrr>/stages/<stage>.json` exists. This manifest lists every file that the stage wrote, with
its row count and checksum. A file that no manifest lists does not count.
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
from mmst.foreign import checked, read_json
from mmst.runs.manifests import Manifest, figures_type

FORMAT = 2
"""Version of the run format, written to `run.json`. Increase it when older runs can no longer be read."""
CHANGED = "checksum mismatch: the file was damaged or modified"

OnCommit = Callable[[], object]


def nothing() -> None:
    """The `on_commit` of a run on a plain file system."""


@dataclass
class Commit:
    """What a running stage will write to its manifest."""

    parts: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    engines: list[dict[str, Any]] = field(default_factory=list)
    """How each checkpoint that the stage used was loaded into the engine, with its weight check."""

    @contextlib.contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Add the duration of the block to `seconds[what]`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[what] = round(self.seconds.get(what, 0.0) + time.monotonic() - start, 3)


@dataclass(unsafe_hash=True)
class RunDirectory:
    """`runs/<name>/`. `on_commit` is called after each commit; it uploads a run that lives in an object store."""

    root: Path
    on_commit: OnCommit = field(default=nothing, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.metrics = self.root / "metrics.jsonl"
        self.problems = self.root / "problems"

    def round(self, number: int) -> RoundDirectory:
        """The directory of a round, which may not exist yet."""
        return RoundDirectory(self, number)

    def rounds(self) -> list[RoundDirectory]:
        """The rounds that have started."""
        found = sorted(int(p.name.removeprefix("round-")) for p in self.root.glob("round-[0-9][0-9][0-9]"))
        return [self.round(number) for number in found]

    def gaps(self, stages: Callable[[int], Iterable[str]]) -> Iterator[tuple[Path, str]]:
        """Lost manifests, each with a message: a later stage has one. `stages` names the stages of a round."""
        missing = None
        for number in range(max((round_.number for round_ in self.rounds()), default=-1) + 1):
            for stage in stages(number):
                path = self.round(number).manifest_path(stage)
                if not path.exists():
                    missing = missing or path
                elif missing:
                    yield missing, f"is missing, though {stage} of round {number} is done"
                    missing = None

    def check_format(self) -> None:
        """Raise InputError unless this version can read the run."""
        path = self.root / "run.json"
        try:
            found = read_json(path, dict[str, Any]).get("format", 1)
        except FileNotFoundError:
            if self.rounds():
                raise InputError(f"{path}: is missing, so the format of the run is unknown; restore it") from None
            return  # killed while it was created
        if found == FORMAT:
            return
        found = found if isinstance(found, int) and -1 < found < 1000 else None
        newer = found is not None and found > FORMAT
        age, cure = ("a newer", "update mmst") if newer else ("an older", "rerun it, or use mmst 0.1 for it")
        versions = f"run format {found}; this version reads {FORMAT}"
        raise InputError(f"{self.root}: was written by {age} mmst ({versions}); {cure}")


@dataclass(unsafe_hash=True)
class RoundDirectory:
    """`round-<rrr>/` of a run."""

    run: RunDirectory
    number: int

    def __post_init__(self) -> None:
        self.root = self.run.root / f"round-{self.number:03d}"
        self.solutions = self.root / "solutions"
        self.decisions = self.root / "decisions.parquet"
        self.rationalizations = self.root / "rationalizations"
        self.translations = self.root / "translations"
        self.pool = self.root / "pool.parquet"
        self.checkpoint = self.root / "checkpoints" / "solver"
        self.evaluation = self.root / "evaluation"

    def manifest_path(self, stage: str) -> Path:
        """Where the manifest of a stage is once the stage is done."""
        return self.root / "stages" / f"{stage}.json"

    def manifest(self, stage: str) -> dict[str, Any] | None:
        """The manifest of a stage, None if the stage is not done.

        Raises InputError for a manifest that is broken, was modified, or belongs to another stage or round.
        """
        path = self.manifest_path(stage)
        try:
            manifest: dict[str, Any] = read_json(path, dict[str, Any])
        except FileNotFoundError:
            return None
        except InputError as error:
            raise InputError(f"{error}; {_ways_out(path)}") from error
        if manifest.get("stage") != stage or manifest.get("round") != self.number:
            raise InputError(f"{path}: is not the manifest of stage {stage} of round {self.number}")
        checked(manifest, Manifest, str(path))
        if (figures := figures_type(stage)) is not None:
            checked(manifest["figures"], figures, f"{path}: figures")
        if manifest.pop("seal") != _seal(manifest):
            raise InputError(f"{path}: {CHANGED}; {_ways_out(path)}")
        return manifest

    def done(self, stage: str) -> bool:
        """Whether the stage is done."""
        return self.manifest(stage) is not None

    def figures(self, stage: str) -> dict[str, Any]:
        """The figures of a stage; empty if it is not done."""
        return (self.manifest(stage) or {}).get("figures", {})

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[Commit]:
        """Run a stage in the block; its manifest is written when the block succeeds."""
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
        append_line(self.run.metrics, self.metrics_line(name))
        self.run.on_commit()

    def metrics_line(self, stage: str) -> dict[str, Any]:
        """The line of a stage in `metrics.jsonl`."""
        manifest = self.manifest(stage) or {}
        line = {"round": self.number, "stage": stage, **{name: manifest.get(name) for name in ("seconds", "spent")}}
        return line | manifest.get("figures", {}) | line  # the figures of a promotion have a `round` of their own

    def part(self, path: Path, rows: int | None = None) -> dict[str, Any]:
        """The entry of a file or directory in a manifest."""
        entry: dict[str, Any] = {"path": str(path.relative_to(self.root)), "checksum": checksum(path)}
        return entry if rows is None else {**entry, "rows": rows}

    def part_paths(self, stage: str) -> list[Path]:
        """The files that a stage committed, in order. Raises InputError as `intact`."""
        self.intact(stage)
        manifest = self.manifest(stage)
        return [self.root / part["path"] for part in manifest["parts"]] if manifest else []

    def intact(self, stage: str) -> None:
        """Verify, once per process, the checksums of everything that a stage committed.

        Raises InputError for a missing, damaged or modified file.
        """
        for part in (self.manifest(stage) or {"parts": []})["parts"]:
            path = self.root / part["path"]
            if not part.get("removed") and (fault := file_fault(path, part["checksum"])):
                raise InputError(f"{path}: {fault}; {_ways_out(self.manifest_path(stage))}")


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest with a checksum of its own, which reveals later modifications."""
    plain = json.loads(json.dumps(manifest, default=str))
    write_json(path, {**plain, "seal": _seal(plain)})


def _seal(manifest: Mapping[str, Any]) -> str:
    text = json.dumps({name: value for name, value in manifest.items() if name != "seal"}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@functools.cache
def file_fault(path: Path, expected: str) -> str | None:
    """What is wrong with a file or directory that must have the checksum `expected`; computed once per process."""
    if not path.exists():
        return "is missing, though its manifest lists it"
    if not (path.is_file() or path.is_dir()):
        return "is no regular file"
    return None if checksum(path) == expected else CHANGED


def _ways_out(manifest: Path) -> str:
    return f"restore it, or remove {manifest} and the manifests of all later stages to redo them"
