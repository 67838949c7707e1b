"""`mmst execute`: rows with a program in, the same rows with what it did out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from mmst.errors import InputError
from mmst.sandbox.sandbox import Sandbox

METHODS = ("pot",)


def execute_rows(
    rows: Iterable[dict[str, Any]],
    sandbox: Sandbox,
    *,
    method_field: str = "method",
    method: str | None = None,
    text_field: str = "text",
) -> Iterator[dict[str, Any]]:
    """Yield each row with `status`, `answer`, `stdout`, `stderr` and `seconds` (wall time) added, in their order.

    Rows are read and given as programs are judged, not all at once. `method` holds for all rows; without it each
    row says its own in `method_field`. Raises InputError naming the row, by its `id` or else its number from 1, for
    a missing text and a method that cannot be executed.
    """
    given: deque[dict[str, Any]] = deque()

    def texts() -> Iterator[str]:
        for number, row in enumerate(rows, 1):
            text = _text(row, f"row {row.get('id', number)}", method_field, method, text_field)
            given.append(row)
            yield text

    for execution in sandbox.execute_many(texts()):
        yield given.popleft() | {
            "status": execution.status,
            "answer": execution.answer,
            "stdout": execution.stdout,
            "stderr": execution.stderr,
            "seconds": round(execution.wall_seconds, 6),
        }


def _text(row: dict[str, Any], name: str, method_field: str, method: str | None, text_field: str) -> str:
    asked = method or row.get(method_field)
    if asked is None:
        raise InputError(f"{name}: no field {method_field!r}; name the column, or the method for all rows")
    if asked not in METHODS:
        raise InputError(f"{name}: method {asked!r} cannot be executed; known are {', '.join(METHODS)}")
    text = row.get(text_field)
    if not isinstance(text, str):
        raise InputError(f"{name}: field {text_field!r} must hold the program's text, found {type(text).__name__}")
    return text
