"""What running a program gives, and what it may use up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal[
    "ok",  # ended by itself and computed an answer
    "no_answer",  # ended by itself without one
    "syntax_error",
    "runtime_error",  # an uncaught exception, or an exit code other than 0
    "timeout",  # CPU or wall time
    "memory",
    "output_limit",  # printed more, or computed a longer answer, than may be handed over
    "forbidden",  # reached for files, processes, sockets, the host
    "crashed",  # died, or left without passing the end of the program
]
Path = Literal["fast", "lean", "sympy"]


class SandboxUnavailable(RuntimeError):
    """This machine cannot confine a program, and running it unconfined was not allowed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use. CPU time decides a time-out; wall time is there for programs that sleep."""

    cpu_seconds: float = 5.0
    wall_seconds: float = 15.0
    memory_bytes: int = 1 << 30  # address space, including the interpreter's own
    output_bytes: int = 64 << 10  # of each stream, and of the answer

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ValueError(f"limits: {name} must be greater than 0, not {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class Execution:
    """What one program did.

    `answer` is text and `kind` its type: int, float, bool, complex, str, fraction, decimal, list, tuple, set,
    dict, symbolic, object, or printed for the last printed line. Both are None unless the status is ok, except
    that a value too long to hand over keeps its kind. A killed program has no answer, whatever it printed.
    """

    status: Status
    answer: str | None
    kind: str | None
    stdout: str
    stderr: str
    cpu_seconds: float
    wall_seconds: float
    path: Path
