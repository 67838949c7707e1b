"""Comparing answers with Math-Verify behind it, in worker processes that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from mmst.errors import InputError
from mmst.processes import process_stat
from mmst.verify.answers.answer import Answer, Comparison
from mmst.verify.answers.comparing import compare_answers
from mmst.verify.answers.finding import find_answer, states_answer
from mmst.verify.answers.reading import read_answer

_PROGRAM = Path(__file__).with_name("symbolic.py")
_START_SECONDS = 120.0
_PATIENCE = 12  # a loaded machine does not turn a slow verdict into none
_REMEMBERED = 100_000


def read_or_find(text: str) -> Answer | None:
    """A bare answer, or else the last stated answer of a text."""
    if not states_answer(text) and (answer := read_answer(text)) is not None:
        return answer
    found = find_answer(text)
    return found.answer if found else read_answer(text)


def _cpu_seconds(pid: int) -> float:
    """CPU time that a process has used; 0 once it is gone."""
    stat = process_stat(pid)
    return stat.cpu_seconds if stat else 0.0


class _Worker:
    """One process with Math-Verify in it; started when first asked, again after it was killed."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.buffer = b""

    def ask(self, gold: str, prediction: str, seconds: float) -> Comparison:
        try:
            if self.process is None or self.process.poll() is not None:
                self._start()
            assert self.process is not None and self.process.stdin is not None
            request = json.dumps({"gold": gold, "prediction": prediction, "seconds": seconds})
            self.process.stdin.write(request.encode() + b"\n")
            self.process.stdin.flush()
            reply = self._line(seconds)
        except OSError as error:
            self.kill()
            return Comparison(None, f"the symbolic worker failed: {error}")
        if reply is None:
            died = self.process.poll() is not None
            self.kill()
            return Comparison(
                None, "the symbolic worker died" if died else f"no symbolic verdict within {seconds:g} s of CPU"
            )
        return Comparison(reply["equal"], reply["reason"])

    def _start(self) -> None:
        self.kill()
        environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        if self._line(_START_SECONDS) is None:
            self.kill()
            raise OSError("it did not start")

    def _line(self, seconds: float) -> dict[str, Any] | None:
        """The next reply; None when the process ends, has used so many CPU seconds, or twelve times that passed."""
        assert self.process is not None and self.process.stdout is not None
        start, used = time.monotonic(), _cpu_seconds(self.process.pid)
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.buffer:
                left = start + _PATIENCE * seconds - time.monotonic()
                if left <= 0 or _cpu_seconds(self.process.pid) - used > seconds:
                    return None
                if not selector.select(min(left, seconds / 4)):
                    continue
                received = os.read(self.process.stdout.fileno(), 65536)
                if not received:
                    self.process.wait()
                    return None
                self.buffer += received
        line, _, self.buffer = self.buffer.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def kill(self) -> None:
        """End the process at once and reap it."""
        process, self.process, self.buffer = self.process, None, b""
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()


class Comparer:
    """Tells whether a prediction equals the reference, asking Math-Verify where the canonical form ends.

    A context manager. Safe to use from any thread and inside Ray actors: no signals are used, the symbolic
    workers are programs of their own (exec), the parent holds the deadline and kills.

    Parameters
    workers: int, symbolic worker processes, started when first needed. Default: the cores this process may use.
    seconds: float, limit of one symbolic comparison in CPU seconds; its wall-clock limit is twelve times that.
    """

    def __init__(self, workers: int | None = None, seconds: float = 5.0) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self.seconds = seconds
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._all = [_Worker() for _ in range(self.workers)]
        for worker in self._all:
            self._idle.put(worker)
        self._verdicts: dict[tuple[str, str], Comparison] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Comparer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the worker processes; the comparer can be used again, which starts new ones."""
        for worker in self._all:
            worker.kill()

    def compare(self, gold: str, prediction: str) -> Comparison:
        """Whether the prediction equals the reference; both are bare answers or texts that state one."""
        verdict, reference, answer = fast_verdict(gold, prediction)
        return verdict or self.compare_symbolic(reference, answer)

    def compare_symbolic(self, gold: Answer | None, prediction: Answer | None) -> Comparison:
        """Ask a worker; a pair is asked in one fixed order, so that the verdict cannot depend on it."""
        assert gold is not None and prediction is not None
        turned = gold.text > prediction.text
        pair = (prediction.text, gold.text) if turned else (gold.text, prediction.text)
        verdict = self._ask(pair)
        if not verdict.reason.startswith("unread"):
            return verdict
        if verdict.reason.endswith("left") is not turned:
            return Comparison(None, "gold is not understood by Math-Verify")
        return Comparison(False, "the prediction is not understood")

    def _ask(self, pair: tuple[str, str]) -> Comparison:
        with self._lock:
            known = self._verdicts.get(pair)
        if known is not None:
            return known
        worker = self._idle.get()
        try:
            verdict = worker.ask(*pair, seconds=self.seconds)
        finally:
            self._idle.put(worker)
        with self._lock:
            if len(self._verdicts) < _REMEMBERED:
                self._verdicts[pair] = verdict
        return verdict


def fast_verdict(gold: str, prediction: str) -> tuple[Comparison | None, Answer | None, Answer | None]:
    """The verdict where no process is needed, and the two answers."""
    reference = read_or_find(gold)
    if reference is None:
        return Comparison(None, "gold cannot be read"), None, None
    answer = read_or_find(prediction)
    if answer is None:
        return Comparison(False, "the prediction cannot be read"), reference, None
    return compare_answers(reference, answer), reference, answer


def compare_rows(
    rows: Iterable[dict[str, Any]],
    *,
    gold_field: str = "gold",
    prediction_field: str = "prediction",
    comparer: Comparer | None = None,
    workers: int | None = None,
    seconds: float = 5.0,
) -> Iterator[dict[str, Any]]:
    """Yield every row with `equal` (true, false, or null) and `reason` added, in the order they came.

    Rows stream: at most a few hundred wait at a time. Symbolic pairs run in parallel over the workers. Raises
    InputError for a row without one of the two fields.
    """
    own = comparer is None
    comparer = comparer or Comparer(workers, seconds)
    waiting: deque[tuple[dict[str, Any], Comparison | Future[Comparison]]] = deque()
    try:
        with ThreadPoolExecutor(comparer.workers, thread_name_prefix="compare") as threads:
            for number, row in enumerate(rows, 1):
                gold, prediction = (_field(row, name, number) for name in (gold_field, prediction_field))
                verdict, reference, answer = fast_verdict(gold, prediction)
                waiting.append((row, verdict or threads.submit(comparer.compare_symbolic, reference, answer)))
                while waiting and (len(waiting) > 512 or _is_done(waiting[0][1])):
                    yield _verified(*waiting.popleft())
            while waiting:
                yield _verified(*waiting.popleft())
    finally:
        if own:
            comparer.close()


def _field(row: dict[str, Any], name: str, number: int) -> str:
    if name not in row:
        raise InputError(f"row {number}: no field {name!r}; name the column that holds it")
    value = row[name]
    return value if isinstance(value, str) else "" if value is None else str(value)


def _is_done(verdict: Comparison | Future[Comparison]) -> bool:
    return isinstance(verdict, Comparison) or verdict.done()


def _verified(row: dict[str, Any], verdict: Comparison | Future[Comparison]) -> dict[str, Any]:
    comparison = verdict if isinstance(verdict, Comparison) else verdict.result()
    return {**row, "equal": comparison.equal, "reason": comparison.reason}
