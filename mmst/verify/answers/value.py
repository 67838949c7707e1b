"""What an expression is worth: exactly where it is rational, to 40 digits elsewhere.

Nothing here evaluates text: the tree comes from our own grammar, every operation is bounded in size, so a
value is there in well under a millisecond or refused.
"""

from __future__ import annotations

import hashlib
import math
import threading
from fractions import Fraction
from typing import Any

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.grammar import Node
from mmst.verify.answers.numerals import fraction_key, image_fraction
from mmst.verify.answers.policy import KEY_DIGITS, MAX_DIGITS

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


def symbols(node: Node) -> set[str]:
    """The names in a tree."""
    if node[0] == "sym":
        return {node[1]}
    found: set[str] = set()
    for part in node[1:]:
        if isinstance(part, tuple) and part:
            found |= symbols(part)
        elif isinstance(part, list):
            for member in part:
                found |= symbols(member) if isinstance(member, tuple) and member else set()
    return found


def value_key(node: Node) -> tuple[str, str]:
    """Kind (number, complex, symbolic) and key of an expression; raises Unreadable.

    Expressions with symbols are worth what they give at two points; a symbol's place depends on its name alone.
    """
    if not symbols(node):
        return _constant_key(_Evaluator(0).value(node), node)
    keys = [_constant_key(_Evaluator(point).value(node), node, point) for point in (1, 2)]
    if keys[0] == keys[1]:
        return keys[0]
    return "symbolic", f"f:{keys[0][1]},{keys[1][1]}"


def sample(node: Node, point: int) -> Any:
    """The value at one of the fixed points, in floating point."""
    return _Evaluator(point).number(node)


def value_at(node: Node, places: dict[str, Fraction]) -> Any:
    """The value with symbols at the given places: a Fraction where it is known exactly, else an mpf or mpc."""
    return _Evaluator(0, places).value(node)


def as_key(value: Any) -> str:
    """The key of a Fraction or a real mpf."""
    return fraction_key(value) if isinstance(value, Fraction) else _real_key(value)


def _constant_key(value: Any, node: Node, point: int = 0) -> tuple[str, str]:
    if isinstance(value, Fraction):
        return "number", fraction_key(value)
    mp = _mp()
    real, imaginary = mp.re(value), mp.im(value)
    if mp.isnan(real) or mp.isnan(imaginary):
        raise Unreadable("not a number")
    if (
        max(abs(real), abs(imaginary)) < mp.mpf(10) ** -15
        or (imaginary and abs(imaginary) < abs(real) * mp.mpf(10) ** -15)
        or (real and abs(real) < abs(imaginary) * mp.mpf(10) ** -15)
    ):
        real, imaginary = _sharper(node, point, value)
    if imaginary:
        return "complex", f"{_real_key(real)}+{_real_key(imaginary)}i"
    return "number", _real_key(real)


def _sharper(node: Node, point: int, value: Any) -> tuple[Any, Any]:
    """Tell a small number from a zero that rounding hides: compute with more digits."""
    mp = _mp()
    with mp.workdps(3 * _DIGITS):
        sharp = _Evaluator(point).number(node)
        real, imaginary = (
            mp.zero if abs(new) < mp.mpf(10) ** -_DIGITS and abs(new - old) > abs(new) * mp.mpf(10) ** -10 else new
            for new, old in ((mp.re(sharp), mp.re(value)), (mp.im(sharp), mp.im(value)))
        )
        return real, imaginary


def _real_key(value: Any) -> str:
    mp = _mp()
    if mp.isinf(value):
        return "inf" if value > 0 else "-inf"
    if not value:
        return "0"
    if abs(mp.mag(value)) > 3 * MAX_DIGITS:
        return str(mp.nstr(value, KEY_DIGITS))
    return fraction_key(image_fraction(to_fraction(value)))


def to_fraction(value: Any) -> Fraction:
    """The exact value of a finite mpf."""
    man, exp = value.man_exp  # without the sign
    return (-1 if value < 0 else 1) * Fraction(int(man)) * Fraction(2) ** int(exp)


class _Evaluator:
    def __init__(self, point: int, places: dict[str, Fraction] | None = None) -> None:
        self.point = point
        self.places = places or {}

    def number(self, node: Node) -> Any:
        """The value as a floating point number."""
        return self._float(self.value(node))

    def _float(self, value: Any) -> Any:
        return _mp().mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value

    def value(self, node: Node) -> Any:
        """A Fraction where the value is known exactly, else an mpf or mpc."""
        method = getattr(self, f"_{node[0]}", None)
        if method is None:
            raise Unreadable(f"no value: {node[0]}")
        try:
            value = method(*node[1:])
        except (ArithmeticError, ValueError, TypeError) as error:
            raise Unreadable(f"no value: {error}") from error
        if isinstance(value, Fraction):
            if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
                return self._float(value)
        elif abs(_mp().mag(value)) > _MAX_MAGNITUDE and value and not _mp().isinf(value):
            raise Unreadable("too large")
        return value

    def _num(self, value: Fraction, places: int, digits: int) -> Any:
        return image_fraction(value) if digits >= KEY_DIGITS else value

    def _sym(self, name: str) -> Any:
        """A place for this name: negative at the second point, positive at the others."""
        if name in self.places:
            return self.places[name]
        digest = hashlib.blake2b(f"{self.point}{name}".encode(), digest_size=8).digest()
        place = Fraction(int.from_bytes(digest, "big"), 2**64) * 2 + Fraction(1, 3)
        return self._float(-place if self.point == 2 else place)

    def _const(self, name: str) -> Any:
        mp = _mp()
        return {"pi": +mp.pi, "e": +mp.e, "i": mp.mpc(0, 1), "inf": mp.inf}[name]

    def _neg(self, a: Node) -> Any:
        return -self.value(a)

    def _pair(self, a: Node, b: Node) -> tuple[Any, Any]:
        left, right = self.value(a), self.value(b)
        if isinstance(left, Fraction) and isinstance(right, Fraction):
            return left, right
        return self._float(left), self._float(right)

    def _add(self, a: Node, b: Node) -> Any:
        left, right = self._pair(a, b)
        return left + right

    def _sub(self, a: Node, b: Node) -> Any:
        left, right = self._pair(a, b)
        return left - right

    def _mul(self, a: Node, b: Node) -> Any:
        left, right = self._pair(a, b)
        return left * right

    def _div(self, a: Node, b: Node) -> Any:
        left, right = self._pair(a, b)
        return left / right

    def _percent(self, a: Node) -> Any:
        return self.value(a) / 100

    def _degrees(self, a: Node) -> Any:
        return self.value(a)

    def _pow(self, a: Node, b: Node) -> Any:
        base, exponent = self.value(a), self.value(b)
        if isinstance(base, Fraction) and isinstance(exponent, Fraction):
            exact = _exact_power(base, exponent)
            if exact is not None:
                return exact
        mp = _mp()
        odd_root = isinstance(exponent, Fraction) and exponent.denominator % 2 == 1 and exponent.denominator > 1
        negative = odd_root and exponent.numerator % 2 == 1
        base, exponent = self._float(base), self._float(exponent)
        if not base:
            return Fraction(0) if mp.re(exponent) > 0 else 1 / base
        if mp.isinf(base) or mp.isinf(exponent) or abs(mp.mag(base)) * abs(exponent) > _MAX_MAGNITUDE:
            raise Unreadable("power too large")
        if odd_root and not mp.im(base) and base < 0:  # the real root, as pupils are taught
            return -mp.power(-base, exponent) if negative else mp.power(-base, exponent)
        return mp.power(base, exponent)

    def _fact(self, a: Node) -> Any:
        value = self.value(a)
        if not isinstance(value, Fraction):
            return _mp().factorial(self._bounded(value, 1000))
        if value.denominator != 1 or not 0 <= value <= 20_000:
            raise Unreadable("factorial")
        return Fraction(math.factorial(int(value))) if value <= 400 else _mp().factorial(int(value))

    def _bounded(self, value: Any, limit: int) -> Any:
        value = self._float(value)
        if not abs(value) <= limit:
            raise Unreadable("argument too large")
        return value

    def _call(self, name: str, arguments: list[Node]) -> Any:
        name = {"Abs": "abs", "Max": "max", "Min": "min", "ceiling": "ceil", "binom": "binomial", "ln": "log"}.get(
            name, name
        )
        if name in ("sin", "cos", "tan", "cot", "sec", "csc") and arguments[0][0] == "degrees":
            return self._trigonometric(name, self._float(self.value(arguments[0][1])) * _mp().pi / 180)
        values = [self.value(argument) for argument in arguments]
        exact = _EXACT.get(name)
        if exact and all(isinstance(value, Fraction) for value in values):
            known = exact(*values)
            if known is not None:
                return known
        if name in ("sqrt", "cbrt"):
            root = values[1] if len(values) > 1 else Fraction(3 if name == "cbrt" else 2)
            return self._pow(("value", values[0]), ("div", ("value", Fraction(1)), ("value", root)))
        if name == "abs":
            return abs(values[0])
        if name == "factorial":
            return self._fact(("value", values[0]))
        return self._transcendental(name, values)

    def _value(self, value: Any) -> Any:
        return value

    def _trigonometric(self, name: str, angle: Any) -> Any:
        return getattr(_mp(), name)(self._bounded(angle, 10**6))

    def _transcendental(self, name: str, values: list[Any]) -> Any:
        mp = _mp()
        argument = self._float(values[0])
        if name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh"):
            return self._trigonometric(name, self._bounded(argument, 10**4))
        if name == "exp":
            return mp.exp(self._bounded(argument, 20_000))
        if name == "log":
            return mp.log(argument) if len(values) == 1 else mp.log(argument) / mp.log(self._float(values[1]))
        if name == "lg":
            return mp.log(argument) / mp.log(10)
        if name == "binomial":
            return mp.binomial(*(self._bounded(value, 1000) for value in values))
        inverse = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}.get(name, name)
        if inverse in ("asin", "acos", "atan", "acot", "asec", "acsc", "conjugate", "re", "im", "floor", "ceil"):
            return getattr(mp, inverse)(argument)
        raise Unreadable(f"no value: {name}")


def _exact_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """base ** exponent where it is rational and small; an odd root of a negative number is the real one."""
    if exponent.denominator > 64 or abs(exponent.numerator) > _MAX_BITS:
        return None
    if exponent.denominator > 1:
        sign = -1 if base < 0 else 1
        if sign < 0 and exponent.denominator % 2 == 0:
            return None
        roots = [_exact_root(part, exponent.denominator) for part in (abs(base.numerator), base.denominator)]
        if roots[0] is None or roots[1] is None:
            return None
        base = Fraction(sign * roots[0], roots[1])
    if not base and exponent <= 0:
        if exponent == 0:
            return Fraction(1)
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
    "conjugate": lambda a: a,
}
