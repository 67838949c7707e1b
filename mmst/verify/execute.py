"""`mmst execute`: rows with a program or equations in, the same rows with the result out."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import Any

from mmst.errors import InputError
from mmst.verify.equations import Outcome, attempt, outcome_of
from mmst.verify.programs import program_in
from mmst.verify.programs.execution import Execution
from mmst.verify.programs.reading import last_block
from mmst.verify.programs.sandbox import Sandbox
from mmst.verify.programs.straightline import FastPath

METHODS = ("pot", "eot")
_SOLVED = Execution("ok", None, None, "", "", 0.0, 0.0, "fast")  # stands for equations that need no sandbox
_BATCH = 64
_AHEAD = 4  # batches per process

Task = tuple[dict[str, Any], str, str]
"""A row, its method and its text."""
Work = Outcome | Execution | str
"""The result of a row, or the program that the sandbox has to run."""


def execute_rows(
    rows: Iterable[dict[str, Any]],
    sandbox: Sandbox,
    *,
    method_field: str = "method",
    method: str | None = None,
    text_field: str = "text",
    workers: int = 1,
) -> Iterator[dict[str, Any]]:
    """Yield each row with `status`, `answer`, `stdout`, `stderr` and `seconds` (wall time) added, in order.

    Rows are read as they are executed, so memory is bounded.

    Parameters
    ----------
    rows : iterable of dict
        `text_field` holds a program or equations, bare or in a fenced block.
    sandbox : Sandbox
        Runs what is not straight-line arithmetic, and SymPy where equations need it.
    method_field, method : str
        The column with the method of a row, pot or eot; or the method of all rows.
    workers : int
        Processes that solve equations and evaluate straight-line programs; 1 uses the calling process.

    Raises
    ------
    InputError
        A row has no text, or a method that cannot be executed; named by its `id`, or else its number from 1.
    """
    given: deque[tuple[Task, Outcome | None]] = deque()
    tasks = (_task(row, f"row {row.get('id', n)}", method_field, method, text_field) for n, row in enumerate(rows, 1))

    def programs() -> Iterator[str | Execution]:
        for task, work in _worked(tasks, sandbox.fast_path, workers):
            outcome = work if isinstance(work, Outcome) else None
            given.append((task, outcome))
            yield _SOLVED if isinstance(work, Outcome) else work

    for execution in sandbox.execute_many(programs()):
        (row, asked, _), outcome = given.popleft()
        if asked == "eot":
            outcome = outcome or outcome_of(execution)
        yield row | {
            "status": outcome.status if outcome else execution.status,
            "answer": outcome.answer if outcome else execution.answer,
            "stdout": "" if outcome else execution.stdout,
            "stderr": execution.stderr,
            "seconds": round(execution.wall_seconds, 6),
        }


def _task(row: dict[str, Any], name: str, method_field: str, method: str | None, text_field: str) -> Task:
    asked = method or row.get(method_field)
    if asked is None:
        raise InputError(f"{name}: no field {method_field!r}; name the column, or the method for all rows")
    if asked not in METHODS:
        raise InputError(f"{name}: method {asked!r} cannot be executed; known are {', '.join(METHODS)}")
    text = row.get(text_field)
    if not isinstance(text, str):
        raise InputError(f"{name}: field {text_field!r} must hold the program's text, found {type(text).__name__}")
    return row, asked, text


def _worked(tasks: Iterator[Task], fast: FastPath | None, workers: int) -> Iterator[tuple[Task, Work]]:
    """Each task with its work, found in this process, or batch by batch by several if there are more than a few."""
    here = islice(tasks, None if workers == 1 else _BATCH)
    yield from ((task, _work(fast, *task[1:])) for task in here)
    if workers == 1:
        return
    waiting: deque[tuple[list[Task], Future[list[Work]]]] = deque()
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_follow_parent)
    try:
        while (batch := list(islice(tasks, _BATCH))) or waiting:
            if batch:
                waiting.append((batch, pool.submit(_works, fast, [task[1:] for task in batch])))
            if not batch or len(waiting) > _AHEAD * workers:
                done, works = waiting.popleft()
                yield from zip(done, works.result(), strict=True)
    finally:  # reached early if the caller stops
        pool.shutdown(cancel_futures=True)


def _works(fast: FastPath | None, tasks: Sequence[tuple[str, str]]) -> list[Work]:
    return [_work(fast, *task) for task in tasks]


def _work(fast: FastPath | None, method: str, text: str) -> Work:
    if method == "eot":
        return attempt(last_block(text))
    program = program_in(text) if "```" in text else text
    execution = None if fast is None or fast.samples(program) else fast.execute(program)
    return execution or program


def _follow_parent() -> None:
    """In a process of the pool: leave Ctrl-C to the parent, and exit if it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=follow, daemon=True).start()
