"""The exact solution of a graph of quantities in every annotation style."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmst.config.synthetic import View
from mmst.problems.synthetic.graph import Graph, Operand, Step
from mmst.problems.synthetic.wording import TELLINGS, WORDINGS


def _calculation(step: Step) -> str:
    return f"{step.left.value} {step.operator.replace('//', '/')} {step.right.value} = {step.value}"


def _assignment(graph: Graph, step: Step, division: str) -> str:
    def operand(o: Operand) -> str:
        return str(o.value) if o.step is None else graph.steps[o.step].name

    return f"{step.name} = {operand(step.left)} {step.operator.replace('//', division)} {operand(step.right)}"


def rationale(graph: Graph) -> str:
    """One line per calculation, with its name, then the answer."""
    lines = [f"{step.name}: {_calculation(step)}" for step in graph.steps]
    return "\n".join([*lines, f"The answer is {graph.steps[-1].value}."])


def program(graph: Graph) -> str:
    """Straight-line Python that prints the answer."""
    lines = [_assignment(graph, step, "//") for step in graph.steps]
    return "\n".join([*lines, f"print({graph.steps[-1].name})"])


def system(graph: Graph) -> str:
    """Equations of named quantities, each under a comment that says what it is (EoTD, section 3)."""
    lines = []
    for step in graph.steps:
        lines += [f"# {TELLINGS[step.ask.kind][1].format(**step.ask.slots)}", _assignment(graph, step, "/")]
    return "\n".join([*lines, f"ans = {graph.steps[-1].name}"])


def sub_questions(graph: Graph, asked: str) -> list[list[str]]:
    """Pairs of the question that each calculation answers and the sentence that answers it; the last question is the
    problem's own, `asked`."""
    pairs: list[list[str]] = []
    for step in graph.steps:
        question = asked if step is graph.steps[-1] else _sub_question(step)
        while question in (before for before, _ in pairs):
            question = f"{question.removesuffix('?')} again?"
        answer = TELLINGS[step.ask.kind][0].format(**step.ask.slots, calculation=_calculation(step))
        pairs.append([question, answer])
    return pairs


def _sub_question(step: Step) -> str:
    """What a calculation on the way answers. A quantity that changes is asked for after each change."""
    question = WORDINGS[step.ask.kind][0].format(**step.ask.slots)
    if step.ask.kind != "ask_now":
        return question
    change = f"with {step.right.value} more?" if step.operator == "+" else f"without {step.right.value}?"
    return question.replace("now?", change)


def prefix(graph: Graph) -> str:
    """The expression tree in preorder."""

    def expand(operand: Operand) -> str:
        if operand.step is None:
            return str(operand.value)
        step = graph.steps[operand.step]
        return f"{step.operator.replace('//', '/')} {expand(step.left)} {expand(step.right)}"

    return expand(Operand(graph.steps[-1].value, len(graph.steps) - 1))


def equation(graph: Graph) -> str:
    """One infix expression, every inner calculation in parentheses."""

    def expand(operand: Operand, outermost: bool = False) -> str:
        if operand.step is None:
            return str(operand.value)
        step = graph.steps[operand.step]
        inner = f"{expand(step.left)} {step.operator.replace('//', '/')} {expand(step.right)}"
        return inner if outermost else f"( {inner} )"

    return expand(Operand(graph.steps[-1].value, len(graph.steps) - 1), outermost=True)


def exact_views(graph: Graph, asked: str, views: list[View]) -> dict[str, Any]:
    """The wanted views of one problem that ends in the question `asked`."""
    makers: dict[View, Callable[[Graph], Any]] = {
        "cot": rationale,
        "program": program,
        "equation": equation,
        "system": system,
        "socratic": lambda graph: sub_questions(graph, asked),
        "prefix": prefix,
    }
    return {view: makers[view](graph) for view in views}
