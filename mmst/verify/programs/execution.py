"""The result of running a program, and the limits it runs under."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mmst.errors import GaveUp, InputError

Status = Literal[
    "ok",  # ended by itself and computed an answer
    "no_answer",  # ended by itself without one
    "syntax_error",
    "runtime_error",  # an uncaught exception, or an exit code other than 0
    "timeout",  # CPU or wall time
    "memory",
    "output_limit",  # printed, or computed an answer, longer than the limit
    "forbidden",  # tried to reach files, processes, sockets or the host
    "crashed",  # was killed, or exited without reaching the end of the program
]
Route = Literal["fast", "lean", "sympy"]


class SandboxUnavailable(GaveUp):
    """This machine cannot confine a program, and running it unconfined was not allowed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one program. CPU time decides a timeout; wall time catches programs that sleep."""

    cpu_seconds: float = 5.0
    wall_seconds: float = 15.0
    memory_bytes: int = 1 << 30  # address space, the interpreter included
    output_bytes: int = 64 << 10  # of each stream, and of the answer

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"limits: {name} must be greater than 0 and finite, not {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class Execution:
    """The result of running one program.

    `answer` is text and `kind` its type: int, float, bool, complex, str, fraction, decimal, list, tuple, set, dict,
    symbolic, object, or printed for the last line printed. Both are None unless the status is ok; an answer that is
    too long still has its kind. A killed program has no answer, whatever it printed. `path` is "fast" for a program
    that was evaluated in the calling process, else the kind of warm parent that ran it.
    """

    status: Status
    answer: str | None
    kind: str | None
    stdout: str
    stderr: str
    cpu_seconds: float
    wall_seconds: float
    path: Route
