"""The part of solving that runs in the sandbox, where SymPy is loaded. Its text begins the program; never imported."""

import sympy
from sympy import Abs, Add, Eq, Expr, Ge, Gt, Le, Lt, Rational, floor, sign, solve, sympify

MOST_BITS = 4096
RELATIONS = {"=": Eq, "<": Lt, "<=": Le, ">": Gt, ">=": Ge}


def bounded_power(base: Expr, exponent: Expr) -> Expr:
    """A power; raises OverflowError before computing a number that is too large to write down."""
    if base.is_Rational and exponent.is_Rational:
        bits = max(base.p.bit_length(), base.q.bit_length())
        if abs(exponent) * bits > MOST_BITS:
            raise OverflowError("a power that is too large")
    return base**exponent


def rounded(value: Expr, places: Expr = Rational(0)) -> Expr:
    """Rounds half away from zero."""
    scale = Rational(10) ** places
    return sign(value) * floor(Abs(value) * scale + Rational(1, 2)) / scale


def mean(*values: Expr) -> Expr:
    """The arithmetic mean."""
    return Add(*values) / len(values)


def solution_of(statements: list[tuple[Expr, str, Expr]], answer: Expr) -> str:
    """`ok <value>`, or the status that says why the equations do not have one answer."""
    answer = sympify(answer)
    equations = [sympify(left - right) for left, relation, right in statements if relation == "="]
    conditions = [RELATIONS[relation](left, right) for left, relation, right in statements if relation != "="]
    unknown = sorted(set().union(*(equation.free_symbols for equation in equations)), key=str)
    if unknown:
        solutions = solve(equations, unknown, dict=True)
    else:
        solutions = [{}] if all(equation.equals(0) for equation in equations) else []
    solutions = [s for s in solutions if all(value.is_real is not False for value in s.values())]
    solutions = [s for s in solutions if all(c.subs(s) != sympy.false for c in conditions)]
    if not solutions:
        return "contradictory"
    values = [(answer.subs(s), all(v.is_nonnegative for v in s.values())) for s in solutions]
    if any(value.free_symbols for value, _ in values):
        return "underdetermined"
    values = [(value, good) for value, good in values if value.is_real and value.is_finite]
    if not values:
        return "not_numeric"
    # Quantities are rarely negative: prefer solutions without negative values, then answers that are not negative.
    preferred = {value for value, good in values if good} or {value for value, _ in values if value.is_nonnegative}
    wanted = preferred or {value for value, _ in values}
    if len(wanted) > 1:
        return "several_solutions"
    (value,) = wanted
    return f"ok {value if value.is_Rational else value.evalf(16)}"
