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
    """Equations of named quantities, each below a comment that explains it (EoTD, section 3)."""
    lines = []
    for step in graph.steps:
        lines += [f"# {TELLINGS[step.ask.kind][1].format(**step.ask.slots)}", _assignment(graph, step, "/")]
    return "\n".join([*lines, f"ans = {graph.steps[-1].name}"])


def sub_questions(graph: Graph, final: str) -> list[list[str]]:
    """One pair of question and answer sentence per calculation; the last question is `final`, that of the problem."""
    pairs: list[list[str]] = []
    for step in graph.steps:
        question = final if step is graph.steps[-1] else _sub_question(step)
        while question in (before for before, _ in pairs):
            question = f"{question.removesuffix('?')} again?"
        answer = TELLINGS[step.ask.kind][0].format(**step.ask.slots, calculation=_calculation(step))
        pairs.append([question, answer])
    return pairs


def _sub_question(step: Step) -> str:
    """The question of an intermediate calculation. A quantity that changes is asked about after every change."""
    question = WORDINGS[step.ask.kind][0].format(**step.ask.slots)
    if step.ask.kind != "ask_now":
        return question
    change = f"with {step.right.value} more?" if step.operator == "+" else f"without {step.right.value}?"
    return question.replace("now?", change)


def _expand(graph: Graph, step: Step, layout: str) -> str:
    """A calculation expanded down to stated numbers, in a layout of `{op}`, `{a}` and `{b}`."""

    def expand(operand: Operand) -> str:
        return str(operand.value) if operand.step is None else _expand(graph, graph.steps[operand.step], layout)

    return layout.format(op=step.operator.replace("//", "/"), a=expand(step.left), b=expand(step.right))


def prefix(graph: Graph) -> str:
    """The expression tree in preorder."""
    return _expand(graph, graph.steps[-1], "{op} {a} {b}")


def equation(graph: Graph) -> str:
    """One infix expression with every inner calculation in parentheses."""
    return _expand(graph, graph.steps[-1], "( {a} {op} {b} )").removeprefix("( ").removesuffix(" )")


def exact_views(graph: Graph, final: str, views: list[View]) -> dict[str, Any]:
    """The wanted views of a problem that ends in the question `final`."""
    makers: dict[View, Callable[[Graph], Any]] = {
        "cot": rationale,
        "program": program,
        "equation": equation,
        "system": system,
        "socratic": lambda graph: sub_questions(graph, final),
        "prefix": prefix,
    }
    return {view: makers[view](graph) for view in views}
