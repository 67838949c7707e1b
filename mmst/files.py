"""Files that appear whole or not at all, and survive a power cut once they have appeared."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path, PosixPath
from typing import Any

PARTIAL = ".partial"
"""Suffix of temporary names, which also begin with a dot. A kill may leave such files behind; a resumed run removes
them."""


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path next to `target`; its file is synced and renamed to `target` when the block succeeds.

    A link is replaced, not followed. A device or a pipe is never replaced: for these the path is `target` itself.
    """
    if isinstance(target, PosixPath) and target.exists() and not target.is_file():
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        yield target
        return
    handle, temporary = _temporary(target)
    os.close(handle)
    try:
        yield temporary
        sync(temporary)
        temporary.chmod(0o644)
        temporary.replace(target)
        sync(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _temporary(target: Path) -> tuple[int, Path]:
    make_directory(target.parent)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=PARTIAL, dir=target.parent)
    return handle, Path(name)


def make_directory(directory: Path) -> None:
    """Create a directory and its parents durably."""
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        sync(directory.parent)


def sync_tree(directory: Path) -> None:
    """Make a directory and everything in it durable."""
    for path in directory.rglob("*"):
        sync(path)
    sync(directory)


def sync(path: Path) -> None:
    """Make the content of a file durable, or the names in a directory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(target: Path, text: str) -> None:
    """Write a text file atomically."""
    with new_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write an indented JSON file atomically."""
    write_text(target, json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def create_text(target: Path, text: str) -> bool:
    """Create a text file in one atomic step; returns False if it exists already.

    On object stores this is a conditional put, or a check and a put if the store has no conditional puts.
    """
    if not isinstance(target, PosixPath):
        return _create_object(target, text)
    handle, temporary = _temporary(target)
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
    """Write a text file atomically but without a sync, so a power cut may lose it; on object stores, by one put."""
    if not isinstance(target, PosixPath):
        target.write_text(text)
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)


def append_line(target: Path, value: dict[str, Any]) -> None:
    """Append a JSON object as a line, in one write. A kill may tear the last line."""
    make_directory(target.parent)
    with target.open("ab") as file:
        file.write((json.dumps(value, ensure_ascii=False, default=str) + "\n").encode("utf-8", "replace"))


ADDED_LATER = frozenset({"held_out.json", "README.md"})
"""Files that a checkpoint gets after its training was committed, so its checksum leaves them out."""


def checksum(path: Path) -> str:
    """blake2b-128 of a file, or of the names and contents of all files in a directory, as hex.

    In directories, temporary files and those in ADDED_LATER do not count. Raises OSError for a device or a pipe, which
    might never end.
    """
    if not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "is no regular file", str(path))
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


def secret_key() -> bytes:
    """A random key of this user, made on first use: in `MMST_CACHE` (default `~/.cache/mmst`), with mode 0600."""
    path = Path(os.environ.get("MMST_CACHE", "~/.cache/mmst")).expanduser() / "key"
    create_text(path, secrets.token_hex(16))  # mkstemp gives it mode 0600
    return path.read_bytes()
