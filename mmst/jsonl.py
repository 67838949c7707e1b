"""JSON lines in and out, for every command: `-` is standard input or output; errors name file and line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.files import new_file

STANDARD = "-"


def read_rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON lines file; blank lines are skipped.

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
    """Write rows as JSON lines and return their number.

    A regular file appears whole or not at all, and a link is followed; a device or a pipe is written to.
    """
    if str(path) == STANDARD:
        return _dump(sys.stdout, rows)
    target = Path(path)
    with ExitStack() as stack:
        try:
            if target.exists() and not target.is_file():
                file = stack.enter_context(target.open("w", encoding="utf-8"))
            else:
                temporary = stack.enter_context(new_file(target.resolve()))
                file = stack.enter_context(temporary.open("w", encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error
        return _dump(file, rows)


def _dump(file: Any, rows: Iterable[dict[str, Any]]) -> int:
    count = 0
    for row in rows:
        # Model text may hold lone surrogates; they are escaped instead of refused.
        file.write(json.dumps(row, ensure_ascii=True) + "\n")
        count += 1
    return count
