"""The sandbox: the fast path, the pool of warm parents behind it, and counts of what took which path."""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from mmst.verify.programs import selftest, straightline
from mmst.verify.programs.confine import LAYERS
from mmst.verify.programs.execution import Execution, Limits, Route, SandboxUnavailable
from mmst.verify.programs.forkserver import ForkServer

_log = logging.getLogger(__name__)
_NEEDS_PACKAGES = re.compile(r"\b(?:sympy|mpmath|numpy)\b")
_COMPARED = ("status", "answer", "kind", "stdout", "stderr")
_AHEAD_BYTES = 256 << 20  # of programs and results, at their largest, that `execute_many` holds


@dataclass(frozen=True, slots=True)
class Protection:
    """What confines a program here: the active layers, and the self-test's attempts that were not stopped."""

    layers: tuple[str, ...]
    failures: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every attempt of the self-test was stopped."""
        return not self.failures

    def describe(self) -> str:
        """One line for a log or `mmst doctor`."""
        found = "self-test passed" if self.whole else "NOT PROTECTED: " + "; ".join(self.failures)
        return f"{', '.join(self.layers) or 'no layer'}; {found}"


@dataclass(slots=True)
class Counts:
    """Programs by path, programs of the fast path that were run again on the forked path, and how many differed."""

    fast: int = 0
    lean: int = 0
    sympy: int = 0
    cross_checked: int = 0
    differences: int = 0


class Sandbox:
    """Runs model-written programs. A context manager; safe from any thread; the calling process is never forked.

    Parameters
    ----------
    limits : Limits
        Of each program.
    workers : int
        Forked programs that run at a time.
    allow_weak : bool
        Run programs even if the self-test at start-up finds that this machine cannot confine them.
    fast : bool
        Evaluate straight-line programs in the calling process.
    cross_check : float
        Share of the programs on the fast path that are run on the forked path too. If the two differ, the forked
        result counts and the difference is logged.
    layers : tuple of str
        Layers of protection, for tests that leave one out.

    Raises
    ------
    SandboxUnavailable
        The self-test failed, and `allow_weak` is not set.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        workers: int = 1,
        allow_weak: bool = False,
        *,
        fast: bool = True,
        cross_check: float = 0.005,
        layers: tuple[str, ...] = LAYERS,
    ) -> None:
        self.limits = limits or Limits()
        self.counts = Counts()
        self.fast_path = straightline.FastPath(self.limits.output_bytes, cross_check) if fast else None
        self._workers = workers
        self._lock = threading.Lock()
        self._servers = [ForkServer(way, self.limits, layers) for way in ("lean", "sympy") for _ in range(workers)]
        self._idle: dict[Route, queue.LifoQueue[ForkServer]] = {"lean": queue.LifoQueue(), "sympy": queue.LifoQueue()}
        for server in self._servers:
            self._idle[server.way].put(server)
        try:
            self.protection = self._self_test()
            if not (self.protection.whole or allow_weak):
                raise SandboxUnavailable(
                    f"sandbox: {self.protection.describe()}; programs are run here only if sandbox.allow_weak is set"
                )
        except BaseException:
            self.close()
            raise
        _log.log(logging.INFO if self.protection.whole else logging.WARNING, "sandbox: %s", self.protection.describe())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the warm parents and their programs. Calling it again does nothing."""
        for server in self._servers:
            server.close()

    @property
    def pids(self) -> list[int]:
        """The running warm parents."""
        return [server.pid for server in self._servers if server.pid]

    def execute(self, program: str) -> Execution:
        """Run one program and wait for it. Never raises for what a program does."""
        result = self._quick(program)
        return result() if callable(result) else result

    def execute_many(self, programs: Iterable[str | Execution]) -> Iterator[Execution]:
        """Run programs on all workers; results come in the order of the programs, which are read as needed.

        An Execution among the programs is passed on in its place. While a slow program runs, those behind it are run
        too, as far as memory allows: programs and results that wait take at most 256 MiB.
        """
        waiting: deque[tuple[Execution | Future[Execution], int]] = deque()
        held = 0
        pool = ThreadPoolExecutor(self._workers)
        try:
            for program in programs:
                quick = program if isinstance(program, Execution) else self._quick(program)
                result = pool.submit(quick) if callable(quick) else quick
                size = self._size(program, result)
                waiting.append((result, size))
                held += size
                while waiting and (_ready(waiting[0][0]) or (held > _AHEAD_BYTES and len(waiting) > self._workers)):
                    result, size = waiting.popleft()
                    held -= size
                    yield _wait(result)
            while waiting:
                yield _wait(waiting.popleft()[0])
        finally:  # reached early if the caller stops
            pool.shutdown(cancel_futures=True)

    def _quick(self, program: str) -> Execution | Callable[[], Execution]:
        """The result of the fast path, or the work that is left."""
        fast = self.fast_path.execute(program) if self.fast_path else None
        if self.fast_path is None or fast is None:
            return partial(self._forked, program)
        with self._lock:
            self.counts.fast += 1
        return partial(self._cross_checked, program, fast) if self.fast_path.samples(program) else fast

    def _size(self, program: str | Execution, result: Execution | Future[Execution]) -> int:
        """Most bytes that a program and its result take, roughly."""
        length = len(program) if isinstance(program, str) else 0
        return 1024 + length + (len(result.stdout) if isinstance(result, Execution) else 3 * self.limits.output_bytes)

    def _cross_checked(self, program: str, fast: Execution) -> Execution:
        forked = self._forked(program)
        same = all(getattr(fast, name) == getattr(forked, name) for name in _COMPARED)
        with self._lock:
            self.counts.cross_checked += 1
            self.counts.differences += not same
        if not same:
            _log.error("fast path differs from CPython on %r: %r, not %r", program, fast, forked)
        return fast if same else forked

    def _forked(self, program: str, cpu_seconds: float | None = None) -> Execution:
        way: Route = "sympy" if _NEEDS_PACKAGES.search(program) else "lean"
        server = self._idle[way].get()
        try:
            execution = server.run(program, cpu_seconds)
        finally:
            self._idle[way].put(server)
        with self._lock:
            setattr(self.counts, way, getattr(self.counts, way) + 1)
        return execution

    def _self_test(self) -> Protection:
        found = selftest.failures(self._forked, self.limits.memory_bytes, self.limits.output_bytes)
        self.counts = Counts()
        layers = next((server.active for server in self._servers if server.active), [])
        return Protection(tuple(layers), tuple(found))


def _ready(result: Execution | Future[Execution]) -> bool:
    return isinstance(result, Execution) or result.done()


def _wait(result: Execution | Future[Execution]) -> Execution:
    return result if isinstance(result, Execution) else result.result()
