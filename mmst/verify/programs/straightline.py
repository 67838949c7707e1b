"""The fast path: straight-line programs, which solve most word problems, run without a process of their own.

A program reaches nothing but its own values, so this is safe in the calling process.
"""

from __future__ import annotations

import ast
import time
import zlib
from dataclasses import dataclass
from typing import Any

from mmst.verify.programs.answer import TooLong, computed, last_line, only_defines_solution, render
from mmst.verify.programs.execution import Execution
from mmst.verify.programs.interpreter import Function, Run, Trace
from mmst.verify.programs.screening import compiles_silently, readable

_MOST_CHARACTERS = 16 << 10


@dataclass(frozen=True, slots=True)
class FastPath:
    """The fast path with its settings; see Sandbox."""

    output_bytes: int
    cross_check: float

    def execute(self, program: str) -> Execution | None:
        """The execution of a straight-line program that ends by itself; None if CPython must run it."""
        wall, cpu = time.perf_counter(), time.thread_time()
        done = run(program, most=self.output_bytes // 4)  # a character takes up to 4 bytes
        if done is None:
            return None
        stdout, variables = done
        value = computed(variables)
        try:
            kind, answer = last_line(stdout) if value is None else render(value, self.output_bytes)
        except TooLong:
            return None
        if kind == "object":  # a function
            return None
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        return Execution("ok" if kind else "no_answer", answer, kind, stdout, "", cpu, wall, "fast")

    def samples(self, program: str) -> bool:
        """Whether a program is in the sample that is cross-checked: by its text, so a rerun checks the same ones."""
        return zlib.crc32(program.encode("utf-8", "replace")) < self.cross_check * 2**32


def run(program: str, trace: Trace | None = None, most: int = _MOST_CHARACTERS) -> tuple[str, dict[str, Any]] | None:
    """What a straight-line program prints, and its final variables; None if CPython must run it.

    If the program only defines `solution`, and computes nothing else, `solution` is called and its result is given as
    the variable `ans`. `trace` receives (line, target or expression, value) of each line that is run.
    """
    if not readable(program):
        return None
    state = Run(trace, most)
    try:
        tree = ast.parse(program)
        state.block(tree.body)
        variables, printed = state.variables, "".join(state.out)
        solution = variables.get("solution")
        lacking = not printed and computed(variables) is None
        if lacking and type(solution) is Function and only_defines_solution(program):
            variables["ans"] = state.invoke(solution, [], {})
            printed = "".join(state.out)
        printed.encode()
        state.skipped |= not all(function.called for function in state.functions)
        if state.skipped and not compiles_silently(tree):
            return None
    except Exception:  # CPython raises it too on the forked path, and reports it in its own words
        return None
    return printed, variables


def values_by_line(program: str) -> Trace | None:
    """(line number, target or expression, value) of each line that a straight-line program runs, in that order.

    None if the program is not straight-line, fails, or has too much to show. Bounded; safe in any process.
    """
    trace: Trace = []
    return None if run(program, trace) is None else trace
