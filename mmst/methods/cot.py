"""Chain of thought: the solution in words, ending with the answer (Wei et al. 2022)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mmst.methods.method import Method, text_key
from mmst.methods.prompts import TaskPrompt, few_shot
from mmst.records import Verdict
from mmst.verify.answers import find_answer
from mmst.verify.answers.calculations import calculation_key, calculations, false_calculation

if TYPE_CHECKING:
    from mmst.verify.programs import Sandbox

_STATED = re.compile(r"\banswer is\b|####|\\boxed", re.IGNORECASE)


class ChainOfThought(Method):
    """Words with calculations in them. The answer is the last one stated."""

    name = "cot"
    view = "cot"
    task_prompt = TaskPrompt(
        solve="Solve it in words.",
        translate="Rewrite it in words.",
        explain='Write out the calculation of each step, and end with a line "The answer is ...".',
        few_shot=few_shot(
            "The boxes hold 3 * 12 = 36 pencils.\nMia keeps 36 - 5 = 31 pencils.\nThe answer is 31.",
            "A child pays 8 / 2 = 4 dollars.\nThe adults pay 2 * 8 = 16 dollars.\n"
            "The children pay 3 * 4 = 12 dollars.\nTogether they pay 16 + 12 = 28 dollars.\nThe answer is 28.",
        ),
    )

    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        found = find_answer(text)
        return Verdict("ok", found.answer.text, found.answer.key) if found else Verdict("no_answer")

    def from_view(self, view: Any, answer: str | None) -> str:
        """The rationale; if it does not state the answer, a sentence that does is added."""
        text = str(view).strip()
        return text if answer is None or _STATED.search(text) else f"{text}\nThe answer is {answer}."

    def duplicate_key(self, text: str) -> str:
        """The calculations in their order (RFT, Yuan et al. 2023), or the words if there are none."""
        return "\n".join(calculation_key(text)) or text_key(text)

    def false_calculation(self, text: str) -> str | None:
        found = false_calculation(text)
        return None if found is None else text[found.start : found.end]

    def calculates(self, text: str) -> bool:
        return bool(calculations(text))
