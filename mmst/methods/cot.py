"""Chain of thought: the solution in words, ending in the stated answer (Wei et al. 2022)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mmst.methods.prompts import FewShotExample, TaskPrompt
from mmst.methods.rationale import Rationale
from mmst.records import Verdict
from mmst.verify.answers import find_answer

if TYPE_CHECKING:
    from mmst.verify.programs import Sandbox

_STATED = re.compile(r"\banswer is\b|####|\\boxed", re.IGNORECASE)


class ChainOfThought(Rationale):
    """Words. The answer is the last one stated."""

    name = "cot"
    view = "cot"
    task_prompt = TaskPrompt(
        solve="Solve it in words.",
        translate="Rewrite it in words.",
        explain='Write out the calculation of each step, and end with a line "The answer is ...".',
        few_shot=(
            FewShotExample(
                "A box holds 12 pencils. Mia buys 3 boxes and gives away 5 pencils. How many pencils does she keep?",
                "The boxes hold 3 * 12 = 36 pencils.\nMia keeps 36 - 5 = 31 pencils.\nThe answer is 31.",
            ),
            FewShotExample(
                "Tickets cost $8 for adults and half as much for children. What do 2 adults and 3 children pay?",
                "A child pays 8 / 2 = 4 dollars.\nThe adults pay 2 * 8 = 16 dollars.\n"
                "The children pay 3 * 4 = 12 dollars.\nTogether they pay 16 + 12 = 28 dollars.\nThe answer is 28.",
            ),
        ),
    )

    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        found = find_answer(text)
        if found is None:
            return Verdict("no_answer")
        return Verdict("ok", found.answer.text, found.answer.key)

    def from_view(self, view: Any, answer: str | None) -> str:
        """Rationales of data sets often don't state the answer; then the sentence that does is added."""
        text = str(view).strip()
        if answer is None or _STATED.search(text):
            return text
        return f"{text}\nThe answer is {answer}."
