"""Runs on object stores (`s3://`, `gs://`, whatever fsspec knows): a directory of this machine, and a copy of it there.

Everything that works on a run (vLLM, DeepSpeed, Parquet, DuckDB) reads local files, and an object store has neither
renames nor appends. So a run of a store has a directory here, and after every commit what is new is uploaded: data
first, manifests last, so that in the store too a stage is done when its manifest stands. Whoever goes on with the run,
on this machine or another one, first makes its directory what the store says. Credentials come from the environment.

What stays here: the saved steps of a training that is going on. All nodes of a cluster must see the directory
(`MMST_CACHE`), as they must see a run that is no object store's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.files import PARTIAL, replace_text
from mmst.runs.live import PROGRESS
from mmst.runs.lock import LOCKS, Holder, Say, held, holder_of

STATE = ".mirror.json"
_MANIFESTS = ("stages", "solutions", "rationalizations", "translations", "problems")
"""Directories whose `.json` files are commits."""
_mirrors: dict[Path, Mirror] = {}


def is_url(place: str | Path) -> bool:
    """Whether a run directory is one of an object store."""
    return "://" in str(place)


@contextlib.contextmanager
def run_directory(place: str, say: Say = lambda line: None) -> Iterator[Path]:
    """The directory in which to work on a run: itself, or for a URL the local one, which the store then follows.

    Raises InputError for a store that cannot be reached, and a run that another process works on.
    """
    if not is_url(place):
        yield Path(place).absolute()
        return
    mirror = Mirror(place)
    mirror.reach()
    with held(mirror.root, say):
        mirror.begin()
        _mirrors[mirror.local] = mirror
        try:
            yield mirror.local
        finally:
            del _mirrors[mirror.local]
            mirror.push()


@contextlib.contextmanager
def run_to_read(place: str | Path, *, checkpoints: bool = True) -> Iterator[Path]:
    """A run directory to look at: itself, or for a URL what the store has now, without `checkpoints` where nobody
    looks at them."""
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
    """Who works on a run, as far as is known from here; none where nobody does."""
    return holder_of(Mirror(str(place), "read").root if is_url(place) else Path(place))


def committed(path: Path) -> None:
    """Something below `path` was committed: where a store follows this directory, it gets it."""
    for local, mirror in _mirrors.items():
        if path.is_relative_to(local):
            mirror.push()


class Mirror:
    """A run in an object store and the directory of this machine that goes with it."""

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
        """Errors of a store, each of which has its own, as one that names it."""
        try:
            yield
        except Exception as error:
            raise InputError(
                f"{self.root}: cannot be used ({type(error).__name__}: {error}); look at the name of the bucket, the "
                "credentials in the environment and the network. Nothing is lost: the same line goes on"
            ) from error

    def reach(self) -> None:
        """Raises InputError for a store that cannot be reached."""
        with self._named():
            self._remote()

    def begin(self) -> None:
        """Go on with a run: where the store is as we left it, it gets what we had no time to upload; where somebody
        else has worked on the run since, their state is the run."""
        if self._remote() == {name: entry[0] for name, entry in self._state.items()}:
            self.push()
        else:
            self.pull()

    def pull(self, checkpoints: bool = True) -> None:
        """Make the local directory what the store says, without `checkpoints` those aside."""
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
                    self._remember(name, version)
            for round_ in self.local.glob("round-*"):
                if not any(name.startswith(f"{round_.name}/") for name in remote):
                    shutil.rmtree(round_)

    def push(self) -> None:
        """Upload what is new, manifests last, and remove from the store what is gone here."""
        with self._named():
            here = self._here()
            for name in sorted(here, key=lambda name: (_is_manifest(name), name)):
                if self._state.get(name, [None, None])[1] != here[name]:
                    self._fs.put_file(str(self.local / name), f"{self._base}/{name}")
                    self._remember(name, _version(self._fs.info(f"{self._base}/{name}")), here[name])
            for name in self._state.keys() - here.keys():
                self._fs.rm_file(f"{self._base}/{name}")
                del self._state[name]
                self._save()

    def _remember(self, name: str, version: str, stamp: str | None = None) -> None:
        self._state[name] = [version, stamp or _stamp(self.local / name)]
        self._save()

    def _save(self) -> None:
        replace_text(self.local / STATE, json.dumps(self._state))

    def _remote(self) -> dict[str, str]:
        """The objects of the run, each with what changes when it does."""
        found = self._fs.find(self._base, detail=True)
        names = {path.removeprefix(self._base).lstrip("/"): info for path, info in found.items()}
        return {name: _version(info) for name, info in names.items() if _belongs(name)}

    def _here(self) -> dict[str, str]:
        files = (path for path in self.local.rglob("*") if path.is_file())
        named = {str(path.relative_to(self.local)): path for path in files}
        return {name: _stamp(path) for name, path in named.items() if _belongs(name)}


def _belongs(name: str) -> bool:
    """Whether the store has a file: not locks, nor what is half done or only of the moment."""
    parts = name.split("/")
    passing = parts[0] == LOCKS or parts[-1].endswith(PARTIAL) or name in (STATE, PROGRESS)
    return not passing and not any(part.startswith("training") or part == "initial" for part in parts[1:-1])


def _is_manifest(name: str) -> bool:
    parts = name.split("/")
    return name.endswith(".json") and len(parts) > 1 and parts[-2] in _MANIFESTS


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


def _version(info: dict[str, Any]) -> str:
    """What an object store says of an object that changes with its content."""
    return str(info.get("ETag") or info.get("md5Hash") or info.get("mtime") or info.get("created") or info["size"])
