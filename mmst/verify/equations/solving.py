"""From a text to its answer: read, then solved exactly, or by SymPy in the sandbox where that is not enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mmst.verify.answers.numerals import answer_text, number_text
from mmst.verify.equations.exact import Contradiction, NotAffine, NoValue, Solved, TooLarge, solve_exactly
from mmst.verify.equations.expression import Node, Unreadable, names_in
from mmst.verify.equations.reading import Statement, System, in_percent, read_system

if TYPE_CHECKING:
    from mmst.verify.programs.execution import Execution

STATUSES = {
    "ok": "solved",
    "syntax_error": "an equation cannot be read, or is code",
    "no_answer": "the text does not say what the answer is",
    "underdetermined": "the equations leave the answer open",
    "contradictory": "no values satisfy the equations",
    "several_solutions": "equally good solutions have different answers",
    "not_numeric": "the answer is a list, a division by zero, or not real",
    "unsolved": "numbers are too large, or SymPy cannot solve the equations",
}
"""The statuses of a text. When SymPy is stopped, those of the sandbox come on top: timeout, memory, crashed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The status, the answer as text if it is ok, and the value of each line's quantity by line number from 0."""

    status: str
    answer: str | None = None
    values: Mapping[int, str] = field(default_factory=dict)


def solve_text(text: str, run: Callable[[str], Execution]) -> Outcome:
    """Read and solve a text; `run` runs SymPy in the sandbox. Never raises for what a model wrote."""
    first = attempt(text)
    return first if isinstance(first, Outcome) else outcome_of(run(first))


def attempt(text: str) -> Outcome | str:
    """The outcome, or the program that solves the text by SymPy."""
    try:
        system = read_system(text)
    except (Unreadable, RecursionError):
        return Outcome("syntax_error")
    if system.answer is None:
        return Outcome("no_answer")
    try:
        return _solved(system)
    except Contradiction:
        return Outcome("contradictory")
    except NoValue:
        return Outcome("not_numeric")
    except TooLarge:
        return Outcome("unsolved")


def _solved(system: System) -> Outcome | str:
    assert system.answer is not None
    solved = solve_exactly(system.statements)
    conditions = [s for s in system.statements if s.relation != "="]
    try:
        form = solved.form(system.answer)
    except NotAffine:
        return _program(system, solved, conditions)
    if solved.waiting:
        return _program(system, solved, conditions)
    for condition in conditions:
        if _holds(condition, solved) is False:
            raise Contradiction
    if not any(form):
        value = form.get("", Fraction(0))
        answer = f"{answer_text(100 * value)}%" if in_percent(system) else answer_text(value)
        return Outcome("ok", answer, _values(system.statements, solved))
    bound = _bound(form, conditions, solved)
    return Outcome("underdetermined") if bound is None else Outcome("ok", answer_text(bound))


def _holds(condition: Statement, solved: Solved) -> bool | None:
    left, right = solved.value(condition.left), solved.value(condition.right)
    if left is None or right is None:
        return None
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[condition.relation]


def _bound(form: Mapping[str, Fraction], conditions: Sequence[Statement], solved: Solved) -> Fraction | None:
    """The largest or smallest answer that the inequalities allow, if they give one value."""
    bounds = set()
    unknowns = {name: value for name, value in form.items() if name}
    name = next(iter(unknowns))
    for condition in conditions:
        try:
            difference = solved.form(Node("-", (condition.left, condition.right)))
        except NotAffine:
            return None
        constant = difference.pop("", Fraction(0))
        factor = difference.get(name, Fraction(0)) / form[name]
        if factor and difference == {n: factor * value for n, value in unknowns.items()}:
            if condition.relation in ("<", ">"):
                return None
            bounds.add(form.get("", Fraction(0)) - constant / factor)
    return bounds.pop() if len(bounds) == 1 else None


def _values(statements: Sequence[Statement], solved: Solved) -> dict[int, str]:
    """By line, the value of the name on its left side, or else of each name that has no line of its own."""
    own = {s.left.parts[0] for s in statements if s.left.op == "name"}
    values: dict[int, str] = {}
    shown: set[str] = set()
    for s in statements:
        if s.left.op == "name":
            names = [s.left.parts[0]]
        else:
            names = [n for n in dict.fromkeys((*names_in(s.left), *names_in(s.right))) if n not in own | shown]
            shown.update(names)
        known = [(n.rstrip("'"), v) for n in names if (v := solved.value(Node("name", (n,)))) is not None]
        if known and s.left.op == "name":
            values[s.line] = number_text(known[0][1])
        elif known:
            values[s.line] = ", ".join(f"{n} = {number_text(v)}" for n, v in known)
    return values


def _program(system: System, solved: Solved, conditions: Sequence[Statement]) -> str:
    """The program for the sandbox: the solver over SymPy, and the statements as SymPy expressions with safe names."""
    statements = [*solved.waiting, *conditions]
    trees = [node for s in statements for node in (s.left, s.right)] + [system.answer]
    names: dict[str, int] = {}

    def name_text(name: str) -> str:
        return f"v{names.setdefault(name, len(names))}"

    def text(node: Node) -> str:
        if node.op == "number":
            return f"Rational({node.parts[0].numerator}, {node.parts[0].denominator})"
        if node.op == "name":
            name = node.parts[0]
            if name not in solved.forms:
                return name_text(name)
            form = solved.forms[name]
            terms = [
                f"Rational({v.numerator}, {v.denominator})" + (f"*{name_text(n)}" if n else "") for n, v in form.items()
            ]
            return f"({' + '.join(terms) or 'Rational(0)'})"
        if node.op == "list":
            raise NoValue("a list is no number")
        parts = [text(part) for part in node.parts]
        if node.op == "%":
            return f"({parts[0]} / 100)"
        if node.op in "+-*/":
            return f"({parts[0]} {node.op} {parts[1]})"
        return f"{_SYMPY.get(node.op, f'sympy.{node.op}')}({', '.join(parts)})"

    written = [text(tree) for tree in trees]  # type: ignore[arg-type]
    lines = [f"({written[2 * i]}, {s.relation!r}, {written[2 * i + 1]})," for i, s in enumerate(statements)]
    solver = Path(__file__).with_name("sympy_side.py").read_text("utf-8")
    symbols = "\n".join(f"v{i} = sympy.Symbol('v{i}', real=True)" for i in range(len(names)))
    return f"{solver}\n{symbols}\nprint(solution_of([{' '.join(lines)}], {written[-1]}))\n"


_SYMPY = {
    "^": "bounded_power", "round": "rounded", "mean": "mean", "mod": "sympy.Mod", "abs": "sympy.Abs",
    "ceil": "sympy.ceiling", "min": "sympy.Min", "max": "sympy.Max", "sum": "sympy.Add",
}  # fmt: skip


def outcome_of(execution: Execution) -> Outcome:
    """The outcome of the program that `attempt` returned."""
    if execution.status != "ok" or not execution.answer:
        return Outcome("unsolved" if execution.status in ("runtime_error", "no_answer", "ok") else execution.status)
    status, _, answer = execution.answer.partition(" ")
    if "/" in answer:
        answer = answer_text(Fraction(answer))
    return Outcome(status, answer or None) if status in STATUSES else Outcome("unsolved")
