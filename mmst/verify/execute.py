"""`mmst execute`: rows with a program or equations in, the same rows with what came of them out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from mmst.errors import InputError
from mmst.verify.equations import Outcome, attempt, outcome_of
from mmst.verify.programs.execution import Execution
from mmst.verify.programs.sandbox import Sandbox

METHODS = ("pot", "eot")
_SOLVED = Execution("ok", None, None, "", "", 0.0, 0.0, "fast")  # in the place of equations that need no sandbox


def execute_rows(
    rows: Iterable[dict[str, Any]],
    sandbox: Sandbox,
    *,
    method_field: str = "method",
    method: str | None = None,
    text_field: str = "text",
) -> Iterator[dict[str, Any]]:
    """Yield each row with `status`, `answer`, `stdout`, `stderr` and `seconds` (wall time) added, in their order.

    Rows are read and given as programs are verified, not all at once. `method` holds for all rows; without it each
    row says its own in `method_field`. Equations are solved here where that is quick, else by SymPy in the sandbox;
    their statuses are those of `mmst.verify.equations.STATUSES` and of the sandbox. Raises InputError naming the row, by
    its `id` or else its number from 1, for a missing text and a method that cannot be executed.
    """
    given: deque[tuple[dict[str, Any], str, Outcome | None]] = deque()

    def programs() -> Iterator[str | Execution]:
        for number, row in enumerate(rows, 1):
            asked, text = _asked(row, f"row {row.get('id', number)}", method_field, method, text_field)
            work = attempt(text) if asked == "eot" else text
            given.append((row, asked, work if isinstance(work, Outcome) else None))
            yield _SOLVED if isinstance(work, Outcome) else work

    for execution in sandbox.execute_many(programs()):
        row, asked, outcome = given.popleft()
        if asked == "eot":
            outcome = outcome or outcome_of(execution)
        yield row | {
            "status": outcome.status if outcome else execution.status,
            "answer": outcome.answer if outcome else execution.answer,
            "stdout": "" if outcome else execution.stdout,
            "stderr": execution.stderr,
            "seconds": round(execution.wall_seconds, 6),
        }


def _asked(row: dict[str, Any], name: str, method_field: str, method: str | None, text_field: str) -> tuple[str, str]:
    asked = method or row.get(method_field)
    if asked is None:
        raise InputError(f"{name}: no field {method_field!r}; name the column, or the method for all rows")
    if asked not in METHODS:
        raise InputError(f"{name}: method {asked!r} cannot be executed; known are {', '.join(METHODS)}")
    text = row.get(text_field)
    if not isinstance(text, str):
        raise InputError(f"{name}: field {text_field!r} must hold the program's text, found {type(text).__name__}")
    return asked, text
