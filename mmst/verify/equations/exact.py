"""Exact solving of systems that are linear once known values are put in, as nearly all of word problems are.

Every quantity is kept as an affine form of the free ones, and each affine equation fixes one more. Equations that are
not affine wait until they are; those that never become affine are left to SymPy. Values are fractions of bounded size,
and the work is bounded, so this is safe in any process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from mmst.verify.equations.expression import Node
from mmst.verify.equations.reading import Statement

MAX_BITS = 4096
"""Bits of the largest numerator or denominator."""
MAX_WORK = 50_000
"""Coefficients processed in one system."""

Form = dict[str, Fraction]
"""An affine form: the coefficient of each free name, and the constant under the empty name, without zeros."""


class NotAffine(Exception):
    """The expression has a product of unknowns, an irrational value or a function of an unknown."""


class TooLarge(Exception):
    """Values or work beyond the bounds."""


class NoValue(Exception):
    """The expression has no value: a division by zero, a list."""


class Contradiction(Exception):
    """No values satisfy the statements."""


@dataclass
class Solved:
    """The solution so far: the `forms` of fixed names, and equations `waiting` because they are not affine."""

    forms: dict[str, Form] = field(default_factory=dict)
    waiting: list[Statement] = field(default_factory=list)
    work: int = 0

    def form(self, node: Node) -> Form:
        """The affine form of an expression. Raises NotAffine, TooLarge or NoValue."""
        if node.op == "number":
            return _checked({"": node.parts[0]} if node.parts[0] else {})
        if node.op == "name":
            name = node.parts[0]
            return self.forms.get(name) or ({} if name in self.forms else {name: Fraction(1)})
        if node.op == "list":
            raise NoValue("a list is no number")
        parts = [self.form(part) for part in node.parts]
        if node.op in ("+", "-"):
            return self._sum(parts[0], parts[1], Fraction(1 if node.op == "+" else -1))
        if node.op == "*" and (_constant(parts[0]) or _constant(parts[1])):
            factor, other = parts if _constant(parts[0]) else reversed(parts)
            return self._scaled(other, factor.get("", Fraction(0)))
        if node.op == "/" and _constant(parts[1]):
            divisor = parts[1].get("", Fraction(0))
            if not divisor:
                raise NoValue("division by zero")
            return self._scaled(parts[0], 1 / divisor)
        if node.op == "%":
            return self._scaled(parts[0], Fraction(1, 100))
        if not all(map(_constant, parts)) or node.op not in _FUNCTIONS:
            raise NotAffine(node.op)
        value = _FUNCTIONS[node.op](*(part.get("", Fraction(0)) for part in parts))
        return _checked({"": value} if value else {})

    def add(self, statement: Statement) -> None:
        """Use an equation. Raises NotAffine, or Contradiction if it conflicts with the others."""
        form = self._sum(self.form(statement.left), self.form(statement.right), Fraction(-1))
        names = [name for name in form if name]
        if not names:
            if form:
                raise Contradiction(f"line {statement.line + 1}")
            return
        own = statement.left.parts[0] if statement.left.op == "name" else None
        pivot = own if own in names else names[0]
        factor = form.pop(pivot)
        fixed = self._scaled(form, -1 / factor)
        for name, known in self.forms.items():
            if share := known.get(pivot):
                rest = {key: value for key, value in known.items() if key != pivot}
                self.forms[name] = self._sum(rest, fixed, share)
        self.forms[pivot] = fixed

    def _sum(self, left: Form, right: Form, factor: Fraction) -> Form:
        """`left + factor * right`"""
        result = dict(left)
        for name, value in right.items():
            total = result.get(name, 0) + factor * value
            if total:
                result[name] = Fraction(total)
            else:
                result.pop(name, None)
        self._count(len(left) + len(right))
        return _checked(result)

    def _scaled(self, form: Form, factor: Fraction) -> Form:
        self._count(len(form))
        return _checked({name: value * factor for name, value in form.items()} if factor else {})

    def _count(self, work: int) -> None:
        self.work += work + 1
        if self.work > MAX_WORK:
            raise TooLarge("too much work")

    def value(self, node: Node) -> Fraction | None:
        """The value of an expression; None if it is not fixed."""
        try:
            form = self.form(node)
        except NotAffine:
            return None
        return form.get("", Fraction(0)) if _constant(form) else None


def solve_exactly(statements: Sequence[Statement]) -> Solved:
    """Solve the affine equations, ignoring inequalities. Raises Contradiction, NoValue or TooLarge."""
    solved = Solved(waiting=[s for s in statements if s.relation == "="])
    before = math.inf
    while len(solved.waiting) < before:
        before = len(solved.waiting)
        statements, solved.waiting = solved.waiting, []
        for statement in statements:
            try:
                solved.add(statement)
            except NotAffine:
                solved.waiting.append(statement)
    return solved


def _constant(form: Form) -> bool:
    return not form or (len(form) == 1 and "" in form)


def _checked(form: Form) -> Form:
    for value in form.values():
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise TooLarge("a number that is too large")
    return form


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        if exponent == Fraction(1, 2):
            return _root(base)
        raise NotAffine("an irrational power")
    if not base and exponent < 0:
        raise NoValue("division by zero")
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * (bits if bits > 1 or base.denominator > 1 else 0) > 2 * MAX_BITS:
        raise TooLarge("a power that is too large")
    return Fraction(base ** (exponent.numerator if bits > 1 else exponent.numerator % 2 or 2 * bool(exponent)))


def _root(value: Fraction) -> Fraction:
    if value < 0:
        raise NoValue("the root of a negative number")
    root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
    if root * root != value:
        raise NotAffine("an irrational root")
    return root


def _rounded(value: Fraction, places: Fraction = Fraction(0)) -> Fraction:
    """Rounds half away from zero, as in school."""
    if places.denominator != 1 or abs(places) > 100:
        raise NoValue("rounding to no number of places")
    scale = Fraction(10) ** int(places)
    size = Fraction(math.floor(abs(value) * scale + Fraction(1, 2))) / scale
    return size if value >= 0 else -size


def _remainder(value: Fraction, divisor: Fraction) -> Fraction:
    if not divisor:
        raise NoValue("division by zero")
    return value % divisor


_FUNCTIONS: Mapping[str, Callable[..., Fraction]] = {
    "^": _power,
    "mod": _remainder,
    "sqrt": _root,
    "abs": abs,
    "round": _rounded,
    "floor": lambda value: Fraction(math.floor(value)),
    "ceil": lambda value: Fraction(math.ceil(value)),
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
    "mean": lambda *values: sum(values, Fraction(0)) / len(values),
    "sum": lambda *values: sum(values, Fraction(0)),
}
