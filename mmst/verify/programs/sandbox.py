"""Programs in, executions out: the pool of warm parents, the fast path before it, and what is counted."""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from mmst.verify.programs import selftest, straightline
from mmst.verify.programs.answer import TooLong, computed, last_line, render
from mmst.verify.programs.confine import LAYERS
from mmst.verify.programs.execution import Execution, Limits, Path, SandboxUnavailable
from mmst.verify.programs.forkserver import ForkServer

_log = logging.getLogger(__name__)
_NEEDS_PACKAGES = re.compile(r"\b(?:sympy|mpmath|numpy)\b")
_COMPARED = ("status", "answer", "kind", "stdout", "stderr")
_AHEAD = 64  # programs per worker that `execute_many` may read before their turn


@dataclass(frozen=True, slots=True)
class Protection:
    """What confines a program here: the layers in force, and what the self-test could do that it must not."""

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
    """How many programs took each path, how many fast ones were run again on the forked path, and how many differed."""

    fast: int = 0
    lean: int = 0
    sympy: int = 0
    cross_checked: int = 0
    differences: int = 0


class Sandbox:
    """Runs model-written programs, from any thread; the calling process is never forked.

    Start-up runs a self-test and raises SandboxUnavailable where this machine cannot confine a program, unless
    `allow_weak`. `workers` is how many forked programs run at a time. `cross_check` is the share of programs on
    the fast path that run on the forked path as well; where the two differ, the forked one counts and the
    difference is logged. `layers` is for showing what each layer is for; leave it alone.
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
        self._workers, self._fast, self._cross_check = workers, fast, cross_check
        self._lock = threading.Lock()
        self._servers = [ForkServer(way, self.limits, layers) for way in ("lean", "sympy") for _ in range(workers)]
        self._idle: dict[Path, queue.LifoQueue[ForkServer]] = {"lean": queue.LifoQueue(), "sympy": queue.LifoQueue()}
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
        """End the warm parents, and whatever they are running. Calling it again does nothing."""
        for server in self._servers:
            server.close()

    @property
    def pids(self) -> list[int]:
        """The warm parents that run now."""
        return [server.pid for server in self._servers if server.pid]

    def execute(self, program: str) -> Execution:
        """Run one program; blocks until it is verified. Never raises for what a program does."""
        fast = self._fast_path(program)
        return self._forked(program) if fast is None else self._cross_checked(program, fast)

    def execute_many(self, programs: Iterable[str | Execution]) -> Iterator[Execution]:
        """Run programs on all workers; executions come in the order of the programs, which are read as needed.

        An execution among them comes out as it is, in its place.
        """
        waiting: deque[Execution | Future[Execution]] = deque()
        pool = ThreadPoolExecutor(self._workers)
        try:
            for program in programs:
                if isinstance(program, Execution):
                    waiting.append(program)
                elif (fast := self._fast_path(program)) is None:
                    waiting.append(pool.submit(self._forked, program))
                elif self._sampled(program):
                    waiting.append(pool.submit(self._cross_checked, program, fast))
                else:
                    waiting.append(fast)
                while waiting and (_ready(waiting[0]) or len(waiting) > _AHEAD * self._workers):
                    yield _wait(waiting.popleft())
            while waiting:
                yield _wait(waiting.popleft())
        finally:  # reached early where nobody wants the rest
            pool.shutdown(cancel_futures=True)

    def _fast_path(self, program: str) -> Execution | None:
        """The execution of a straight-line program that has an answer or ends without; None for any other."""
        if not self._fast:
            return None
        wall, cpu = time.perf_counter(), time.thread_time()
        done = straightline.run(program)
        if done is None or len(done[0]) * 4 > self.limits.output_bytes:
            return None
        stdout, variables = done
        value = computed(variables)
        try:
            kind, answer = last_line(stdout) if value is None else render(value, self.limits.output_bytes)
        except TooLong:
            return None
        if kind == "object":  # a function
            return None
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        with self._lock:
            self.counts.fast += 1
        return Execution("ok" if kind else "no_answer", answer, kind, stdout, "", cpu, wall, "fast")

    def _sampled(self, program: str) -> bool:
        """Whether a program is in the sample: by its text, so that a rerun checks the same ones."""
        return zlib.crc32(program.encode("utf-8", "replace")) < self._cross_check * 2**32

    def _cross_checked(self, program: str, fast: Execution) -> Execution:
        if not self._sampled(program):
            return fast
        forked = self._forked(program)
        same = all(getattr(fast, name) == getattr(forked, name) for name in _COMPARED)
        with self._lock:
            self.counts.cross_checked += 1
            self.counts.differences += not same
        if not same:
            _log.error("fast path differs from CPython on %r: %r, not %r", program, fast, forked)
        return fast if same else forked

    def _forked(self, program: str, cpu_seconds: float | None = None) -> Execution:
        way: Path = "sympy" if _NEEDS_PACKAGES.search(program) else "lean"
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
