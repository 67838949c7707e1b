"""Equations of thought: comments and equations over named quantities (EoTD, Zhu et al. 2024, section 3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mmst.methods.method import Method, text_key, verdict_on, with_comments
from mmst.methods.prompts import TaskPrompt, few_shot
from mmst.problems.views import views_from_equation
from mmst.records import Verdict
from mmst.verify.answers.calculations import false_calculation
from mmst.verify.equations import Outcome, attempt, solve_text, system_key
from mmst.verify.programs.reading import last_block

if TYPE_CHECKING:
    from mmst.verify.programs import Sandbox

_ANS = re.compile(r"^\s*ans\s*=", re.MULTILINE)
_COMMENT = re.compile(r"^\s*[%#](.*)", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_]\w*")
_OPERATION = re.compile(r"[\w)%]\s*[-+*/^×÷]|\d\s*[A-Za-z_(]")


class EquationOfThought(Method):
    """A system of equations. The answer is the value of `ans`."""

    name = "eot"
    view = "system"
    other_views = ("equation",)
    executed = True
    task_prompt = TaskPrompt(
        solve="Solve it by equations.",
        translate="Rewrite it as equations.",
        explain="Write equations over named quantities, one per line, each after a comment line (#) that says what it "
        "means, and end with a line `ans = ` and the name of the answer. Write nothing else.",
        few_shot=few_shot(
            "# Mia buys 3 boxes of 12 pencils\nbought = 3 * 12\n# She gives away 5\nkept = bought - 5\nans = kept",
            "# A child pays half of 8 dollars\n2 * child = 8\n# 2 adults and 3 children\n"
            "total = 2 * 8 + 3 * child\nans = total",
        ),
    )

    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        outcome = solve_text(self.solution(text), sandbox.execute)
        if outcome.answer is None:
            return Verdict(outcome.status)
        return verdict_on(outcome.answer, "not_numeric")

    def solution(self, text: str) -> str:
        return last_block(text)

    def from_view(self, view: Any, answer: str | None) -> str:
        """The system, or the system that an equation without a named answer abbreviates."""
        text = str(view).strip()
        if _ANS.search(text):
            return text
        return views_from_equation(text).get("system") or f"ans = {text}"

    def with_values(self, text: str) -> str:
        """Each equation with the value of its quantity (`total = 3 + 4 # 7`), unless that takes SymPy."""
        system = self.solution(text)
        outcome = attempt(system)
        values = outcome.values if isinstance(outcome, Outcome) else {}
        return with_comments(system, {number + 1: value for number, value in values.items()})

    def duplicate_key(self, text: str) -> str:
        """The equations without names, comments and order, or the text if they cannot be read."""
        system = self.solution(text)
        return system_key(system) or text_key(system)

    def false_calculation(self, text: str) -> str | None:
        """A false calculation in the comments; equations that do not hold have no answer anyway."""
        comments = "\n".join(_COMMENT.findall(self.solution(text)))
        found = false_calculation(comments)
        return None if found is None else comments[found.start : found.end]

    def calculates(self, text: str) -> bool:
        """Whether an equation that `ans` depends on, directly or through other names, has an operation."""
        equations = [line.partition("#")[0] for line in _COMMENT.sub("", self.solution(text)).splitlines()]
        reached, known = {"ans"}, 0
        while len(reached) > known:
            known = len(reached)
            reached.update(*(names for names in map(_names, equations) if reached & names))
        return any(_OPERATION.search(equation) for equation in equations if reached & _names(equation))


def _names(equation: str) -> set[str]:
    return set(_NAME.findall(equation))
