"""The answer that a program computed, as text with its type, and how a child hands it over.

Loaded twice: here for the fast path, and by every warm parent, by path, into a private namespace with its own copy of
the builtins, which no frame of a running program leads to. So it imports nothing that a program could replace.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_SOLUTION = re.compile(r"\bsolution[ \t]*\(")
_SCALARS = {"int", "float", "bool", "complex", "str"}
_CONTAINERS = {"list", "tuple", "set", "frozenset", "dict"}


def computed(variables: dict[str, Any]) -> Any:
    """The value of `ans`, else of `answer`, else None."""
    value = variables.get("ans")
    return variables.get("answer") if value is None else value


def only_defines_solution(program: str) -> bool:
    """Whether the function `solution` is defined but never called, as some prompts ask for."""
    return len(_SOLUTION.findall(program)) == 1


def last_line(stdout: str) -> tuple[str | None, str | None]:
    """("printed", the last line that is not blank), or (None, None)."""
    lines = stdout.rstrip().splitlines()
    return ("printed", lines[-1].strip()) if lines else (None, None)


class TooLong(Exception):
    """The answer's text exceeds the limit. The argument is the value's kind."""


def kind_of(value: Any) -> str:
    """int, float, bool, complex, str, fraction, decimal, list, tuple, set, dict, symbolic or object."""
    cls = type(value)
    module, name = cls.__module__, cls.__name__
    if module == "builtins" and name in _SCALARS | _CONTAINERS:
        return name.removeprefix("frozen")
    if (module, name) in {("fractions", "Fraction"), ("decimal", "Decimal")}:
        return name.lower()
    return "symbolic" if str(module).partition(".")[0] == "sympy" else "object"


def render(value: Any, most: int) -> tuple[str, str]:
    """(kind, text) of a computed value; the text has at most `most` characters.

    Containers are rendered by `repr`, everything else by `str`, NumPy scalars as Python numbers. Raises TooLong,
    before the conversion where the length is predictable, and whatever the value's own `__repr__` raises.
    """
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        value = value.item()
    kind = kind_of(value)
    # A digit takes log2(10) > 3.32 bits, and printing is quadratic in the digits.
    if kind == "int" and value.bit_length() > 3.33 * (most + 1):
        raise TooLong(kind)
    text = repr(value) if kind in _CONTAINERS else str(value)
    if len(text) > most:
        raise TooLong(kind)
    return kind, text


def hand_over(nonce: bytes, outcome: list[Any], write: Callable[[int, bytes, int], int], descriptor: int) -> None:
    """Write a child's result: nonce, status, kind and answer; a missing kind or answer is empty."""
    status, kind, answer = (part if type(part) is str else "" for part in outcome)
    write(descriptor, nonce + f"{status}\0{kind}\0{answer}".encode("utf-8", "surrogatepass"), 0)
