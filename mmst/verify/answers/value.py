"""Values of expressions: exact fractions where they are rational, 40 digits elsewhere.

Nothing here evaluates text. Trees come from our own grammar and every operation is bounded in size, so an expression
is computed in well under a millisecond or refused.
"""

from __future__ import annotations

import hashlib
import math
import operator
import threading
from fractions import Fraction
from typing import Any

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.numerals import fraction_key, image_fraction
from mmst.verify.answers.policy import KEY_DIGITS, MAX_DIGITS
from mmst.verify.answers.tree import Node, symbols

_DIGITS = 40
_MAX_BITS = 4 * MAX_DIGITS
_MAX_MAGNITUDE = 40_000  # bits in a floating exponent
_local = threading.local()


def _mp() -> Any:
    """This thread's own mpmath context (the global one changes precision for every thread)."""
    if not hasattr(_local, "mp"):
        import mpmath

        _local.mp = mpmath.MPContext()
        _local.mp.dps = _DIGITS
    return _local.mp


def value_key(node: Node) -> tuple[str, str]:
    """Kind (number, complex, symbolic) and key of an expression; raises Unreadable.

    An expression with symbols is keyed by its values at two points. A symbol's place depends on its name alone.
    """
    if not symbols(node):
        return _key_at(node, 0)
    first, second = _key_at(node, 1), _key_at(node, 2)
    return first if first == second else ("symbolic", f"f:{first[1]},{second[1]}")


def sample(node: Node, point: int) -> Any:
    """The value at a fixed point (1, 2 or 3) as an mpf or mpc; raises Unreadable."""
    return _float(_evaluate(node, point))


def value_at(node: Node, places: dict[str, Fraction]) -> Any:
    """The value with symbols at the given places: a Fraction where it is exact, else an mpf or mpc."""
    return _evaluate(node, 0, places)


def as_key(value: Any) -> str:
    """The key of a Fraction or a real mpf."""
    mp = _mp()
    if not isinstance(value, Fraction):
        if mp.isinf(value):
            return "inf" if value > 0 else "-inf"
        if abs(mp.mag(value)) > 3 * MAX_DIGITS and value:
            return str(mp.nstr(value, KEY_DIGITS))
    return fraction_key(keyed_value(value))


def keyed_value(value: Any) -> Fraction:
    """The number that the key of a Fraction or a finite mpf names: floating values are rounded to 12 digits."""
    if isinstance(value, Fraction):
        return value
    man, exp = value.man_exp  # without the sign
    return image_fraction((-1 if value < 0 else 1) * Fraction(int(man)) * Fraction(2) ** int(exp))


def _key_at(node: Node, point: int) -> tuple[str, str]:
    value = _evaluate(node, point)
    if isinstance(value, Fraction):
        return "number", fraction_key(value)
    mp = _mp()
    real, imaginary = mp.re(value), mp.im(value)
    if mp.isnan(real) or mp.isnan(imaginary):
        raise Unreadable("not a number")
    small, (low, high) = mp.mpf(10) ** -15, sorted((abs(real), abs(imaginary)))
    if high < small or (low and low < high * small):
        real, imaginary = _sharper(node, point, value)
    if imaginary:
        return "complex", f"{as_key(real)}+{as_key(imaginary)}i"
    return "number", as_key(real)


def _sharper(node: Node, point: int, value: Any) -> list[Any]:
    """Real and imaginary part, with zeros in place of what more digits show to be rounding errors."""
    mp = _mp()
    with mp.workdps(3 * _DIGITS):
        sharp = sample(node, point)
        return [
            mp.zero if abs(new) < mp.mpf(10) ** -_DIGITS and abs(new - old) > abs(new) * mp.mpf(10) ** -10 else new
            for new, old in ((mp.re(sharp), mp.re(value)), (mp.im(sharp), mp.im(value)))
        ]


def _evaluate(node: Node, point: int, places: dict[str, Fraction] | None = None) -> Any:
    try:
        return _Evaluator(point, places or {}).value(node)
    except (ArithmeticError, ValueError, TypeError) as error:
        raise Unreadable(f"no value: {error}") from error


def _float(value: Any) -> Any:
    return _mp().mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


class _Evaluator:
    """Computes trees. Symbols take the given places, or else places that depend on the point and the name."""

    def __init__(self, point: int, places: dict[str, Fraction]) -> None:
        self.point = point
        self.places = places

    def value(self, node: Node) -> Any:
        """A Fraction where the value is exact, else an mpf or mpc."""
        value = self._compute(*node)
        if isinstance(value, Fraction):
            if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
                return _float(value)
        elif abs(_mp().mag(value)) > _MAX_MAGNITUDE and value and not _mp().isinf(value):
            raise Unreadable("too large")
        return value

    def _compute(self, name: str, *parts: Any) -> Any:
        if name == "num":
            value, _, digits = parts
            return image_fraction(value) if digits >= KEY_DIGITS else value
        if name in _BINARY:
            return _apply(_BINARY[name], self.value(parts[0]), self.value(parts[1]))
        if name in _UNARY:
            return _UNARY[name](self.value(parts[0]))
        match name:
            case "sym":
                return self._place(parts[0])
            case "const":
                mp = _mp()
                return {"pi": +mp.pi, "e": +mp.e, "i": mp.mpc(0, 1), "inf": mp.inf}[parts[0]]
            case "pow":
                return _power(self.value(parts[0]), self.value(parts[1]))
            case "call":
                return self._call(*parts)
        raise Unreadable(f"no value: {name}")

    def _place(self, name: str) -> Any:
        """Negative at the second point, positive at the others."""
        if name in self.places:
            return self.places[name]
        digest = hashlib.blake2b(f"{self.point}{name}".encode(), digest_size=8).digest()
        place = Fraction(int.from_bytes(digest, "big"), 2**64) * 2 + Fraction(1, 3)
        return _float(-place if self.point == 2 else place)

    def _call(self, name: str, arguments: list[Node]) -> Any:
        name = _ALIASES.get(name, name)
        if name in _TRIGONOMETRIC and arguments[0][0] == "degrees":
            angle = _float(self.value(arguments[0][1])) * _mp().pi / 180
            return getattr(_mp(), name)(_limited(angle, 10**6))
        return _function(name, [self.value(argument) for argument in arguments])


_ALIASES = {
    "Abs": "abs", "Max": "max", "Min": "min", "ceiling": "ceil", "binom": "binomial", "ln": "log", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "conjugate": "conj",
}  # fmt: skip
_TRIGONOMETRIC = ("sin", "cos", "tan", "cot", "sec", "csc")
_LIMITS: dict[str, int | None] = {
    **dict.fromkeys(("log", "asin", "acos", "atan", "conj", "re", "im", "floor", "ceil")),
    **dict.fromkeys((*_TRIGONOMETRIC, "sinh", "cosh", "tanh"), 10**4),
    "exp": 20_000,
}
"""mpmath's functions of one argument, and the largest argument that is computed."""


def _apply(operation: Any, left: Any, right: Any) -> Any:
    """An operation on two Fractions, or else on two floats."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return operation(left, right)
    return operation(_float(left), _float(right))


def _limited(value: Any, limit: int) -> Any:
    value = _float(value)
    if not abs(value) <= limit:
        raise Unreadable("argument too large")
    return value


def _factorial(value: Any) -> Any:
    if not isinstance(value, Fraction):
        return _mp().factorial(_limited(value, 1000))
    if value.denominator != 1 or not 0 <= value <= 20_000:
        raise Unreadable("factorial")
    return Fraction(math.factorial(int(value))) if value <= 400 else _mp().factorial(int(value))


_BINARY = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}
_UNARY = {
    "neg": operator.neg, "percent": lambda value: value / 100, "degrees": lambda value: value, "fact": _factorial,
    "factorial": _factorial, "abs": abs,
}  # fmt: skip


def _function(name: str, values: list[Any]) -> Any:
    mp, exact = _mp(), _EXACT.get(name)
    rational = all(isinstance(value, Fraction) for value in values)
    if exact and rational and (known := exact(*values)) is not None:
        return known
    if name in _UNARY:
        return _UNARY[name](values[0])
    if name in ("sqrt", "cbrt"):
        root = values[1] if len(values) > 1 else Fraction(3 if name == "cbrt" else 2)
        return _power(values[0], _apply(operator.truediv, Fraction(1), root))
    if name == "binomial":
        return mp.binomial(*(_limited(value, 1000) for value in values))
    argument = _float(values[0])
    if name == "lg":
        return mp.log(argument) / mp.log(10)
    if name == "log" and len(values) > 1:
        return mp.log(argument) / mp.log(_float(values[1]))
    if name not in _LIMITS:
        raise Unreadable(f"no value: {name}")
    limit = _LIMITS[name]
    return getattr(mp, name)(argument if limit is None else _limited(argument, limit))


def _power(base: Any, exponent: Any) -> Any:
    mp = _mp()
    rational = isinstance(exponent, Fraction)
    if rational and isinstance(base, Fraction) and (exact := _exact_power(base, exponent)) is not None:
        return exact
    odd_root = rational and exponent.denominator % 2 == 1 and exponent.denominator > 1
    negative = odd_root and exponent.numerator % 2 == 1
    base, exponent = _float(base), _float(exponent)
    if not base:
        return Fraction(0) if mp.re(exponent) > 0 else 1 / base
    if mp.isinf(base) or mp.isinf(exponent) or abs(mp.mag(base)) * abs(exponent) > _MAX_MAGNITUDE:
        raise Unreadable("power too large")
    if odd_root and not mp.im(base) and base < 0:  # the real root, as taught in school
        return -mp.power(-base, exponent) if negative else mp.power(-base, exponent)
    return mp.power(base, exponent)


def _exact_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """base ** exponent where it is rational and small; an odd root of a negative number is the real one."""
    if exponent.denominator > 64 or abs(exponent.numerator) > _MAX_BITS:
        return None
    if exponent.denominator > 1:
        if base < 0 and exponent.denominator % 2 == 0:
            return None
        top, bottom = (_exact_root(part, exponent.denominator) for part in (abs(base.numerator), base.denominator))
        if top is None or bottom is None:
            return None
        base = Fraction(-top if base < 0 else top, bottom)
    if not base and exponent < 0:
        raise Unreadable("division by zero")
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    return None if (bits - 1) * abs(exponent.numerator) > _MAX_BITS else base**exponent.numerator


def _exact_root(value: int, degree: int) -> int | None:
    if value < 2:
        return value
    if value.bit_length() > 1000:
        return None
    guess = math.isqrt(value) if degree == 2 else round(value ** (1 / degree))
    return next((root for root in (guess - 1, guess, guess + 1) if root >= 0 and root**degree == value), None)


def _binomial(n: Fraction, k: Fraction) -> Fraction | None:
    if n.denominator != 1 or k.denominator != 1 or not 0 <= k <= 1000 or not 0 <= n <= 10_000:
        return None
    return Fraction(math.comb(int(n), int(k)))


_EXACT: dict[str, Any] = {
    "abs": abs,
    "max": max,
    "min": min,
    "floor": lambda a: Fraction(math.floor(a)),
    "ceil": lambda a: Fraction(math.ceil(a)),
    "binomial": _binomial,
    "gcd": lambda a, b: Fraction(math.gcd(int(a), int(b))),
    "lcm": lambda a, b: Fraction(math.lcm(int(a), int(b))),
    "re": lambda a: a,
    "im": lambda a: Fraction(0),
    "conj": lambda a: a,
}
