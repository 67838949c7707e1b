"""Runs in object stores (`s3://`, `gs://`, any fsspec scheme): a local directory, mirrored to the store.

Everything that works on a run (vLLM, DeepSpeed, Parquet, DuckDB) reads local files, and object stores have neither
renames nor appends. After each commit, new files are uploaded: data first, manifests last, so that a manifest in the
store also means that its stage is done (`fsspec.generic.rsync` keeps no such order). To resume a run, on any machine,
the local directory is first made equal to the store. Credentials come from the environment.

The intermediate saves of a training stage stay local. All nodes of a cluster must see the local directory
(`MMST_CACHE`), like any run directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from mmst.errors import InputError
from mmst.files import PARTIAL, replace_text
from mmst.runs.directory import RunDirectory
from mmst.runs.live import PROGRESS
from mmst.runs.lock import LOCKS, Holder, Say, held, holder_of

STATE = ".mirror.json"
_COMMITS = ("stages", "solutions", "rationalizations", "translations", "problems")
"""Directories whose `.json` files are commits."""


def is_url(place: str | Path) -> bool:
    """Whether a run is in an object store."""
    return "://" in str(place)


@contextlib.contextmanager
def run_directory(place: str, say: Say = lambda line: None) -> Iterator[RunDirectory]:
    """The run directory to work in. For a URL, a locked local directory whose commits are uploaded.

    Raises InputError for an unreachable store, and for a run that another process works on.
    """
    if not is_url(place):
        yield RunDirectory(Path(place).absolute())
        return
    mirror = Mirror(place)
    mirror.reach()
    with held(mirror.root, say):
        mirror.begin()
        try:
            yield RunDirectory(mirror.local, mirror.push)
        finally:
            mirror.push()


@contextlib.contextmanager
def run_to_read(place: str | Path, *, checkpoints: bool = True) -> Iterator[Path]:
    """The run directory to read. For a URL, a local copy of the store's current state, optionally without
    checkpoints."""
    if not is_url(place):
        yield Path(place)
        return
    mirror = Mirror(str(place), "read")
    mirror.pull(checkpoints)
    try:
        yield mirror.local
    except InputError as error:
        raise InputError(str(error).replace(str(mirror.local), str(place))) from error


def holder_in(place: str | Path) -> Holder | None:
    """The process that works on a run, None if there is none (see `mmst.runs.lock.holder_of`)."""
    return holder_of(Mirror(str(place), "read").root if is_url(place) else Path(place))


class Mirror:
    """A run in an object store and its local directory. `purpose` separates the directories of writers and readers."""

    def __init__(self, url: str, purpose: str = "runs") -> None:
        try:
            from upath import UPath

            self.root: Any = UPath(url.rstrip("/"), use_listings_cache=False, skip_instance_cache=True)
            self._fs, self._base = self.root.fs, self.root.path.rstrip("/")
        except (ImportError, ValueError) as error:
            raise InputError(
                f"{url}: cannot be used ({error}); pip install 'mmst[s3]' for s3://, gcsfs for gs://"
            ) from error
        mark = hashlib.blake2b(url.rstrip("/").encode(), digest_size=6).hexdigest()
        cache = Path(os.environ.get("MMST_CACHE", "~/.cache/mmst")).expanduser().absolute()
        self.local = cache / purpose / mark / self.root.name
        self.local.mkdir(parents=True, exist_ok=True)
        try:
            self._state: dict[str, Any] = json.loads((self.local / STATE).read_text())
        except (OSError, ValueError):
            self._state = {}

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Turn any error of the store (each library has its own) into an InputError that names the store."""
        try:
            yield
        except Exception as error:
            raise InputError(
                f"{self.root}: cannot be used ({type(error).__name__}: {error}); check the name of the bucket, the "
                "credentials in the environment and the network, then rerun the same command. Nothing is lost"
            ) from error

    def reach(self) -> None:
        """Raise InputError for a store that cannot be reached."""
        with self._named():
            self._remote()

    def begin(self) -> None:
        """Resume: upload what is new here, or, if another machine has changed the store since, download its state."""
        if self._remote() == {name: entry[0] for name, entry in self._state.items()}:
            self.push()
        else:
            self.pull()

    def pull(self, checkpoints: bool = True) -> None:
        """Make the local directory equal to the store, optionally without checkpoints."""
        with self._named():
            remote, here = self._remote(), self._here()
            if not checkpoints:
                remote = {name: version for name, version in remote.items() if "/checkpoints/" not in name}
            for name in here.keys() - remote.keys():
                (self.local / name).unlink()
                self._state.pop(name, None)
            for name, version in remote.items():
                if self._state.get(name) != [version, here.get(name)]:
                    target = self.local / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    partial = target.with_name(f".{target.name}{PARTIAL}")
                    self._fs.get_file(f"{self._base}/{name}", str(partial))
                    partial.replace(target)
                    self._remember(name, version, _stamp(target))
            for round_ in self.local.glob("round-*"):
                if not any(name.startswith(f"{round_.name}/") for name in remote):
                    shutil.rmtree(round_)

    def push(self) -> None:
        """Upload what is new, manifests last, and remove from the store what was removed here."""
        with self._named():
            here = self._here()
            for name in sorted(here, key=lambda name: (_is_commit(name), name)):
                if self._state.get(name, [None, None])[1] != here[name]:
                    self._fs.put_file(str(self.local / name), f"{self._base}/{name}")
                    self._remember(name, _version(self._fs.info(f"{self._base}/{name}")), here[name])
            for name in self._state.keys() - here.keys():
                self._fs.rm_file(f"{self._base}/{name}")
                del self._state[name]
                self._save()

    def _remember(self, name: str, version: str, stamp: str) -> None:
        self._state[name] = [version, stamp]
        self._save()

    def _save(self) -> None:
        replace_text(self.local / STATE, json.dumps(self._state))

    def _remote(self) -> dict[str, str]:
        """The versions of the run's objects, by name."""
        found = self._fs.find(self._base, detail=True)
        names = {path.removeprefix(self._base).lstrip("/"): info for path, info in found.items()}
        return {name: _version(info) for name, info in names.items() if _belongs(name)}

    def _here(self) -> dict[str, str]:
        """Size and modification time of the run's local files, by name."""
        files = (path for path in self.local.rglob("*") if path.is_file())
        named = {str(path.relative_to(self.local)): path for path in files}
        return {name: _stamp(path) for name, path in named.items() if _belongs(name)}


def _belongs(name: str) -> bool:
    """Whether a file is mirrored: not locks, progress, temporary files and intermediate saves of training."""
    parts = name.split("/")
    passing = parts[0] == LOCKS or parts[-1].endswith(PARTIAL) or name in (STATE, PROGRESS)
    return not passing and not any(part.startswith("training") or part == "initial" for part in parts[1:-1])


def _is_commit(name: str) -> bool:
    return name.endswith(".json") and PurePath(name).parent.name in _COMMITS


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


def _version(info: dict[str, Any]) -> str:
    """A property of an object that changes with its content; its name depends on the store."""
    return str(info.get("ETag") or info.get("md5Hash") or info.get("mtime") or info.get("created") or info["size"])
