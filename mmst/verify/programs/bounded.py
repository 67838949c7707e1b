"""CPython's own arithmetic on values of bounded size.

Values that are too large or of another type raise Leave; errors raise what CPython raises.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

Value = Any  # int, float, bool, str, None, or a flat list or tuple of those
NUMBERS = {int, float, bool}
SCALARS = NUMBERS | {str, type(None)}
SEQUENCES = {list, tuple}
VALUES = SCALARS | SEQUENCES
_MOST_BITS = 1024
_MOST_CHARACTERS = 1000
_FORMAT = re.compile(r"[,_]?(?:\.\d{1,2})?[dfFeEgG%s]?")


class Leave(Exception):
    """The interpreter cannot run this program; CPython must."""


def checked(value: Value) -> Value:
    """The value. Raises Leave if it is too large."""
    kind = type(value)
    if (kind is int and value.bit_length() > _MOST_BITS) or (kind is str and len(value) > _MOST_CHARACTERS):
        raise Leave
    return value


def formatted(value: Value, conversion: int, spec: str) -> str:
    """The value as an f-string formats it; `conversion` as in ast.FormattedValue."""
    if conversion not in (-1, ord("s"), ord("r")) or not _FORMAT.fullmatch(spec):
        raise Leave
    return format(value if conversion < 0 else str(value) if conversion == ord("s") else repr(value), spec)


def _power(base: Value, exponent: Value) -> Value:
    if type(exponent) is not float and type(base) is not float and base.bit_length() * exponent > _MOST_BITS:
        raise Leave
    return base**exponent


def _times(left: Value, right: Value) -> Value:
    if type(left) is int and type(right) is int and left.bit_length() + right.bit_length() > _MOST_BITS:
        raise Leave
    return left * right


ARITHMETIC: dict[type, Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _times,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
COMPARISONS: dict[type, Callable[[Value, Value], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, group: item in group,
    ast.NotIn: lambda item, group: item not in group,
}


def arithmetic(op: ast.operator, left: Value, right: Value) -> Value:
    """`left op right` for two numbers, or the sum of two strings."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        result = ARITHMETIC[type(op)](left, right)
        if type(result) is complex:
            raise Leave
        return checked(result)
    if type(op) is ast.Add and type(left) is str and type(right) is str:
        return checked(left + right)
    raise Leave


def _small(most: int, function: Callable[..., Value]) -> Callable[..., Value]:
    """The function, which raises Leave for integer arguments beyond `most`."""

    def bounded(*arguments: Value) -> Value:
        if any(type(argument) is int and abs(argument) > most for argument in arguments):
            raise Leave
        return function(*arguments)

    return bounded


def _round(number: Value, digits: Value = None) -> Value:
    if type(number) not in NUMBERS or (type(digits) is int and abs(digits) > 400):
        raise Leave
    return round(number, digits)


def _sum(numbers: Value, start: Value = 0) -> Value:
    if type(numbers) not in SEQUENCES or type(start) not in NUMBERS:
        raise Leave
    return sum(numbers, start)


def _pow(base: Value, exponent: Value) -> Value:
    return arithmetic(ast.Pow(), base, exponent)


BUILTINS: dict[str, Callable[..., Value]] = {
    "abs": abs, "round": _round, "int": int, "float": float, "str": str, "bool": bool, "min": min, "max": max,
    "sum": _sum, "len": len, "pow": _pow, "divmod": divmod,
}  # fmt: skip
MATH_FUNCTIONS: dict[str, Callable[..., Value]] = {
    function.__name__: function
    for function in (
        math.acos, math.asin, math.atan, math.atan2, math.ceil, math.copysign, math.cos, math.degrees, math.exp,
        math.fabs, math.floor, math.fmod, math.gcd, math.hypot, math.isclose, math.isfinite, math.isinf, math.isnan,
        math.isqrt, math.log, math.log10, math.log2, math.pow, math.radians, math.sin, math.sqrt, math.tan,
        math.trunc,
    )
} | {function.__name__: _small(150, function) for function in (math.factorial, math.comb, math.perm)}  # fmt: skip
MATH_VALUES = {name: getattr(math, name) for name in ("pi", "e", "tau", "inf", "nan")}
