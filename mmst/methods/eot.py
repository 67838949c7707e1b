"""Equations of thought: comments and equations over named quantities (EoTD, Zhu et al. 2024, section 3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mmst.methods.duplicates import text_key
from mmst.methods.method import Method
from mmst.methods.prompts import FewShotExample, TaskPrompt
from mmst.problems.views import views_from_equation
from mmst.records import Verdict
from mmst.verify.answers import read_answer
from mmst.verify.answers.calculations import false_calculation
from mmst.verify.equations import Outcome, attempt, solve_text, system_key

if TYPE_CHECKING:
    from mmst.verify.programs import Sandbox

_FENCE = re.compile(r"```[ \t]*\w*[ \t]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
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
        few_shot=(
            FewShotExample(
                "A box holds 12 pencils. Mia buys 3 boxes and gives away 5 pencils. How many pencils does she keep?",
                "# Mia buys 3 boxes of 12 pencils\nbought = 3 * 12\n# She gives away 5\nkept = bought - 5\nans = kept",
            ),
            FewShotExample(
                "Tickets cost $8 for adults and half as much for children. What do 2 adults and 3 children pay?",
                "# A child pays half of 8 dollars\n2 * child = 8\n# 2 adults and 3 children\n"
                "total = 2 * 8 + 3 * child\nans = total",
            ),
        ),
    )

    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        outcome = solve_text(self.solution(text), sandbox.execute)
        if outcome.answer is None:
            return Verdict(outcome.status)
        answer = read_answer(outcome.answer)
        return Verdict("ok", answer.text, answer.key) if answer else Verdict("not_numeric", outcome.answer[:200])

    def solution(self, text: str) -> str:
        """The last fenced block, or all of the text."""
        blocks = _FENCE.findall(text)
        return (blocks[-1] if blocks else text).strip("\n").rstrip()

    def from_view(self, view: Any, answer: str | None) -> str:
        """A system as it is; an equation that names no answer as the system that it abbreviates."""
        text = str(view).strip()
        if _ANS.search(text):
            return text
        return views_from_equation(text).get("system") or f"ans = {text}"

    def with_values(self, text: str) -> str:
        """Each equation with what its quantity got (`total = 3 + 4 # 7`); as it is where SymPy would be needed."""
        system = self.solution(text)
        outcome = attempt(system)
        values = outcome.values if isinstance(outcome, Outcome) else {}
        return "\n".join(
            f"{line} # {values[number]}" if number in values else line
            for number, line in enumerate(system.splitlines())
        )

    def duplicate_key(self, text: str) -> str:
        """The equations without names, comments and order; the text where they cannot be read."""
        system = self.solution(text)
        return system_key(system) or text_key(system)

    def false_calculation(self, text: str) -> str | None:
        """Of the comments; equations that do not hold give no answer at all."""
        comments = "\n".join(_COMMENT.findall(self.solution(text)))
        found = false_calculation(comments)
        return None if found is None else comments[found.start : found.end]

    def calculates(self, text: str) -> bool:
        """Whether an operation stands in an equation that `ans` hangs on, over whatever names in between."""
        left = [line.partition("#")[0] for line in _COMMENT.sub("", self.solution(text)).splitlines()]
        reached, known = {"ans"}, 0
        operation = False
        while len(reached) > known:
            known = len(reached)
            for equation in left:
                if reached & (names := set(_NAME.findall(equation))):
                    reached |= names
                    operation = operation or bool(_OPERATION.search(equation))
        return operation
