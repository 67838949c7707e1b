"""Comparing answers with Math-Verify behind it, in worker processes that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.processes import process_stat
from mmst.verify.answers.answer import Answer, Comparison
from mmst.verify.answers.comparing import compare_answers
from mmst.verify.answers.finding import find_answer, states_answer
from mmst.verify.answers.reading import read_answer

_PROGRAM = Path(__file__).with_name("symbolic.py")
_START_SECONDS = 120.0
_PATIENCE = 12  # wall-clock seconds per CPU second, so that a loaded machine does not lose slow verdicts
_REMEMBERED = 100_000
_WAITING = 512


def read_or_find(text: str) -> Answer | None:
    """Read a bare answer, or else find the last answer that a text states; None if there is neither. Never raises.

    >>> read_or_find("3/4").key, read_or_find("She sells 9 * 2 = 18. The answer is $18 per day.").key
    ('3/4', '18')
    """
    if not states_answer(text) and (answer := read_answer(text)) is not None:
        return answer
    found = find_answer(text)
    return found.answer if found else read_answer(text)


def _cpu_seconds(pid: int) -> float:
    """CPU time that a process has used; 0 once it is gone."""
    stat = process_stat(pid)
    return stat.cpu_seconds if stat else 0.0


class _Worker:
    """A process with Math-Verify in it; started when first needed, and again after it was killed."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, gold: str, prediction: str, seconds: float) -> Comparison:
        try:
            process = self._running()
            assert process.stdin is not None
            process.stdin.write(json.dumps({"gold": gold, "prediction": prediction, "seconds": seconds}).encode())
            process.stdin.write(b"\n")
            process.stdin.flush()
            reply = self._reply(process, seconds)
        except OSError as error:
            self.kill()
            return Comparison(None, f"the symbolic worker failed: {error}")
        if reply is not None:
            return Comparison(reply["equal"], reply["reason"])
        died = process.poll() is not None
        self.kill()
        reason = "the symbolic worker died" if died else f"no symbolic verdict within {seconds:g} s of CPU"
        return Comparison(None, reason)

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is not None and self.process.poll() is None:
            return self.process
        self.kill()
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
            cwd="/",
            start_new_session=True,
        )
        if self._reply(self.process, _START_SECONDS) is None:
            raise OSError("it did not start")
        return self.process

    def _reply(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any] | None:
        """The next reply; None if the process ends, or uses up its CPU seconds or 12 times as much wall time."""
        assert process.stdout is not None
        until, used = time.monotonic() + _PATIENCE * seconds, _cpu_seconds(process.pid)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not selector.select(seconds / 4):
                if time.monotonic() > until or _cpu_seconds(process.pid) - used > seconds:
                    return None
        line = process.stdout.readline()  # written in one piece
        if not line.endswith(b"\n"):
            process.wait()
            return None
        reply: dict[str, Any] = json.loads(line)
        return reply

    def kill(self) -> None:
        """End the process at once and reap it."""
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # a request that was never sent
                if stream is not None:
                    stream.close()


class Comparer:
    """Compares predictions with references, by Math-Verify where canonical forms do not decide.

    Safe in any thread and inside Ray actors: it uses no signals, starts workers by exec, and kills those that exceed
    their limit. A context manager; without `with`, call `close`.

    Parameters
    ----------
    workers : int, optional
        Symbolic worker processes, each started when first needed. Default: the cores that this process may use.
    seconds : float
        Limit of one symbolic comparison, in CPU seconds; its wall-clock limit is 12 times that.

    >>> with Comparer() as comparer:
    ...     comparer.compare("x^2 - 1", "(x-1)(x+1)")
    Comparison(equal=True, reason='same symbolic')
    """

    def __init__(self, workers: int | None = None, seconds: float = 5.0) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self.seconds = seconds
        self._all = [_Worker() for _ in range(self.workers)]
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for worker in self._all:
            self._idle.put(worker)
        self._verdicts: dict[tuple[str, str], Comparison] = {}

    def __enter__(self) -> Comparer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the worker processes. The comparer stays usable and starts new ones when needed."""
        for worker in self._all:
            worker.kill()

    def compare(self, gold: str, prediction: str) -> Comparison:
        """Compare a prediction with its reference; both are bare answers or texts that state one. Never raises.

        `equal` is None, undecided, for a reference that cannot be read (the reason then begins with `gold`), for a
        timeout, and where Math-Verify's verdict depends on the order of the two sides.
        """
        verdict = fast_verdict(gold, prediction)
        return verdict if isinstance(verdict, Comparison) else self.compare_symbolic(*verdict)

    def compare_symbolic(self, gold: Answer, prediction: Answer) -> Comparison:
        """Ask Math-Verify, always with the two texts in the same order, so that the verdict cannot depend on it."""
        turned = gold.text > prediction.text
        verdict = self._ask((prediction.text, gold.text) if turned else (gold.text, prediction.text))
        if not verdict.reason.startswith("unread"):
            return verdict
        if verdict.reason.endswith("left") is not turned:
            return Comparison(None, "gold is not understood by Math-Verify")
        return Comparison(False, "the prediction is not understood")

    def _ask(self, pair: tuple[str, str]) -> Comparison:
        if pair in self._verdicts:
            return self._verdicts[pair]
        worker = self._idle.get()
        try:
            verdict = worker.ask(*pair, seconds=self.seconds)
        finally:
            self._idle.put(worker)
        if len(self._verdicts) < _REMEMBERED:
            self._verdicts[pair] = verdict
        return verdict


def fast_verdict(gold: str, prediction: str) -> Comparison | tuple[Answer, Answer]:
    """The verdict, or the two answers where Math-Verify must decide."""
    reference = read_or_find(gold)
    if reference is None:
        return Comparison(None, "gold cannot be read")
    answer = read_or_find(prediction)
    if answer is None:
        return Comparison(False, "the prediction cannot be read")
    return compare_answers(reference, answer) or (reference, answer)


def compare_rows(
    rows: Iterable[dict[str, Any]],
    *,
    gold_field: str = "gold",
    prediction_field: str = "prediction",
    comparer: Comparer | None = None,
    workers: int | None = None,
    seconds: float = 5.0,
) -> Iterator[dict[str, Any]]:
    """Yield every row with `equal` (True, False or None) and `reason` added, in order.

    Rows stream: at most a few hundred wait at a time. Symbolic pairs run in parallel over the workers. `workers` and
    `seconds` are those of Comparer, for the one that is made where none is given. Raises InputError for a row without
    one of the two fields.

    >>> next(compare_rows([{"id": 1, "gold": "1/2", "prediction": "The answer is 0.5."}]))
    {'id': 1, 'gold': '1/2', 'prediction': 'The answer is 0.5.', 'equal': True, 'reason': 'same number'}
    """
    owned = comparer is None
    comparer = comparer or Comparer(workers, seconds)
    waiting: deque[tuple[dict[str, Any], Comparison | Future[Comparison]]] = deque()
    try:
        with ThreadPoolExecutor(comparer.workers, thread_name_prefix="compare") as threads:
            for number, row in enumerate(rows, 1):
                gold, prediction = (_field(row, name, number) for name in (gold_field, prediction_field))
                verdict = fast_verdict(gold, prediction)
                if isinstance(verdict, Comparison):
                    waiting.append((row, verdict))
                else:
                    waiting.append((row, threads.submit(comparer.compare_symbolic, *verdict)))
                while waiting and (len(waiting) > _WAITING or _is_done(waiting[0][1])):
                    yield _verified(*waiting.popleft())
            while waiting:
                yield _verified(*waiting.popleft())
    finally:
        if owned:
            comparer.close()


def _field(row: dict[str, Any], name: str, number: int) -> str:
    if name not in row:
        raise InputError(f"row {number}: no field {name!r}; name the column that holds it")
    value = row[name]
    if isinstance(value, dict | list):
        raise InputError(f"row {number}: field {name!r} must be text or a number, found {type(value).__name__}")
    return value if isinstance(value, str) else "" if value is None else str(value)


def _is_done(verdict: Comparison | Future[Comparison]) -> bool:
    return isinstance(verdict, Comparison) or verdict.done()


def _verified(row: dict[str, Any], verdict: Comparison | Future[Comparison]) -> dict[str, Any]:
    comparison = verdict if isinstance(verdict, Comparison) else verdict.result()
    return {**row, "equal": comparison.equal, "reason": comparison.reason}
