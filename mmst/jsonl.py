"""JSON lines in and out, for every command: `-` is standard input or output; errors name file and line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from mmst.errors import InputError
from mmst.files import new_file

STANDARD = "-"
LONGEST = 64 << 20
"""Bytes of the longest line that is read."""


def read_rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON lines file; blank lines are skipped.

    Raises InputError for a missing file, a line that is not JSON and a line that is not an object.
    """
    if str(path) == STANDARD:
        yield from _parse(sys.stdin.buffer, "standard input")
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except (OSError, ValueError) as error:  # a ValueError for a null byte in the name
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    with file:
        yield from _parse(file, str(path))


def _parse(lines: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_bounded(lines, name), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name}:{number}: not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise InputError(f"{name}:{number}: expected a JSON object, found {type(row).__name__}")
        yield row


def _bounded(file: BinaryIO, name: str) -> Iterator[bytes]:
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise InputError(f"{name}:{number}: longer than {LONGEST >> 20} MiB")
        yield line


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def write_rows(path: str | Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as JSON lines and return their number.

    A regular file appears whole or not at all, and a link is followed; a device or a pipe is written to.
    """
    if str(path) == STANDARD:
        return _dump(sys.stdout, rows)
    target = Path(path)
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(new_file(target.resolve()))
            file = stack.enter_context(temporary.open("w", encoding="utf-8"))
        except (OSError, ValueError, RuntimeError) as error:  # null bytes, links in a circle
            raise InputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error
        return _dump(file, rows)


def _dump(file: Any, rows: Iterable[dict[str, Any]]) -> int:
    count = 0
    for row in rows:
        # Model text may hold lone surrogates; they are escaped instead of refused.
        file.write(json.dumps(row, ensure_ascii=True) + "\n")
        count += 1
    return count
