"""JSON lines in and out, for every command: `-` is standard input or output, errors name file and line."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mmst.errors import InputError

STANDARD = "-"


def read_rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON lines file one by one; blank lines are passed over.

    Raises InputError for a missing file, a line that is not JSON and a line that is not an object.
    """
    if str(path) == STANDARD:
        yield from _parse(sys.stdin.buffer, "standard input")
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    with file:
        yield from _parse(file, str(path))


def _parse(lines: Iterable[bytes], name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name}:{number}: not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise InputError(f"{name}:{number}: expected a JSON object, found {type(row).__name__}")
        yield row


def write_rows(path: str | Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as JSON lines and return how many; a file appears whole or not at all."""
    if str(path) == STANDARD:
        return _dump(sys.stdout, rows)
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            count = _dump(file, rows)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    return count


def _dump(file: Any, rows: Iterable[dict[str, Any]]) -> int:
    count = 0
    for row in rows:
        # Model text may hold lone surrogates; they are escaped rather than refused.
        file.write(json.dumps(row, ensure_ascii=True) + "\n")
        count += 1
    return count
