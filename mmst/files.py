"""Files that appear whole or not at all, and survive a power cut once they have appeared."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path, PosixPath
from typing import Any

PARTIAL = ".partial"
"""Ends the names of what is being written; such a name begins with a dot. Left behind by a kill, it counts for nothing
and is removed when the run is gone on with."""


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A temporary path beside `target`; what was written there is synced and renamed when the block ends well."""
    make_directory(target.parent)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=PARTIAL, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
        sync_directory(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_directory(directory: Path) -> None:
    """Make a directory and those above it, durably."""
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def sync_tree(directory: Path) -> None:
    """Make everything under a directory durable."""
    for path in directory.rglob("*"):
        sync_directory(path)
    sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Make renames in a directory durable, or a file's content."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(target: Path, text: str) -> None:
    """Write a small text file atomically."""
    with new_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write a JSON file atomically, readable by people."""
    write_text(target, json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def create_text(target: Path, text: str) -> bool:
    """Create a file with this text if there is none of that name, as one step; returns whether it was created.

    An object of a store is created by a conditional put; where a store has none, by looking first.
    """
    if not isinstance(target, PosixPath):
        return _create_object(target, text)
    make_directory(target.parent)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=PARTIAL, dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        target.hardlink_to(temporary)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _create_object(target: Any, text: str) -> bool:
    try:
        target.fs.pipe_file(target.path, text.encode(), mode="create")
    except FileExistsError:
        return False
    except (NotImplementedError, TypeError, ValueError):
        if target.exists():
            return False
        target.write_text(text)
    return True


def replace_text(target: Path, text: str) -> None:
    """Write a small file by renaming, without a sync: for what need not survive a power cut; an object by one put."""
    if not isinstance(target, PosixPath):
        target.write_text(text)
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)


def append_line(target: Path, value: dict[str, Any]) -> None:
    """Append one JSON object as a line, in one write. A kill may tear the last line of such a file."""
    make_directory(target.parent)
    with target.open("ab") as file:
        file.write((json.dumps(value, ensure_ascii=False, default=str) + "\n").encode("utf-8", "replace"))


ADDED_LATER = frozenset({"held_out.json", "README.md"})
"""What a checkpoint gets once it was evaluated: no part of the checksum that its training committed."""


def checksum(path: Path) -> str:
    """blake2b-128 of a file, or of all files under a directory with their names, as hex.

    Of a directory, neither those `ADDED_LATER` count nor what a kill left behind while one of them was written.
    """
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(filter(_counts, path.rglob("*"))) if path.is_dir() else [path]:
        if path.is_dir():
            digest.update(str(file.relative_to(path)).encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _counts(path: Path) -> bool:
    return path.is_file() and path.name not in ADDED_LATER and not path.name.endswith(PARTIAL)
