"""The part of solving that runs in the sandbox, where SymPy is loaded: never imported, its text starts a program."""

from sympy import (  # noqa: F401
    Abs,
    Add,
    Eq,
    Expr,
    Ge,
    Gt,
    Le,
    Lt,
    Max,
    Min,
    Mod,
    Rational,
    Symbol,
    ceiling,
    cos,
    exp,
    floor,
    log,
    sign,
    sin,
    solve,
    sqrt,
    sympify,
    tan,
)

MOST_BITS = 4096
RELATIONS = {"=": Eq, "<": Lt, "<=": Le, ">": Gt, ">=": Ge}


def bounded_power(base: Expr, exponent: Expr) -> Expr:
    """A power; a number too large to write down is refused before it is computed."""
    if (
        base.is_Rational
        and exponent.is_Rational
        and abs(exponent) * max(base.p.bit_length(), base.q.bit_length()) > (MOST_BITS)
    ):
        raise OverflowError("a power that is too large")
    return base**exponent


def rounded(value: Expr, places: Expr = Rational(0)) -> Expr:
    """Half goes away from zero."""
    scale = Rational(10) ** places
    return sign(value) * floor(Abs(value) * scale + Rational(1, 2)) / scale


def mean(*values: Expr) -> Expr:
    """The arithmetic mean."""
    return Add(*values) / len(values)


def solution_of(statements: list[tuple[Expr, str, Expr]], answer: Expr) -> str:
    """`ok <value>`, or what keeps the equations from having one answer."""
    answer = sympify(answer)
    equations = [left - right for left, relation, right in statements if relation == "="]
    conditions = [RELATIONS[relation](left, right) for left, relation, right in statements if relation != "="]
    unknown = sorted(set().union(*(sympify(e).free_symbols for e in equations)), key=str)
    if unknown:
        solutions = solve(equations, unknown, dict=True)
    else:
        solutions = [{}] if all(sympify(equation).equals(0) for equation in equations) else []
    solutions = [s for s in solutions if all(value.is_real is not False for value in s.values())]
    solutions = [s for s in solutions if all(c.subs(s) != False for c in conditions)]  # noqa: E712 (SymPy's own false)
    if not solutions:
        return "contradictory"
    values = [(answer.subs(s), all(v.is_nonnegative for v in s.values())) for s in solutions]
    if any(value.free_symbols for value, _ in values):
        return "underdetermined"
    values = [(value, good) for value, good in values if value.is_real and value.is_finite]
    if not values:
        return "not_numeric"
    for wanted in (
        {value for value, good in values if good},
        {value for value, _ in values if value.is_nonnegative},
        {value for value, _ in values},
    ):
        if len(wanted) == 1:
            (value,) = wanted
            return f"ok {value if value.is_Rational else value.evalf(16)}"
        if wanted:
            return "several_solutions"
    return "several_solutions"
