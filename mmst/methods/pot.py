"""Program of thought: the solution as Python, whose value is the answer (Chen et al. 2022, Gao et al. 2022)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmst.methods.constant import program_calculates
from mmst.methods.duplicates import program_key
from mmst.methods.method import Method
from mmst.methods.prompts import FewShotExample, TaskPrompt
from mmst.records import Verdict
from mmst.verify.answers import read_answer
from mmst.verify.programs import values_by_line

if TYPE_CHECKING:
    from mmst.verify.programs import Sandbox

_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:\n```|\Z)", re.DOTALL | re.IGNORECASE)


class ProgramOfThought(Method):
    """Python. The answer is what it computed: `ans`, what `solution()` returns, or what it printed last."""

    name = "pot"
    view = "program"
    executed = True
    task_prompt = TaskPrompt(
        solve="Solve it by a program.",
        translate="Rewrite it as a program.",
        explain="Write Python that computes the answer, one step per line, and prints it. Write nothing else.",
        few_shot=(
            FewShotExample(
                "A box holds 12 pencils. Mia buys 3 boxes and gives away 5 pencils. How many pencils does she keep?",
                "bought = 3 * 12\nkept = bought - 5\nprint(kept)",
            ),
            FewShotExample(
                "Tickets cost $8 for adults and half as much for children. What do 2 adults and 3 children pay?",
                "child = 8 / 2\nadults = 2 * 8\nchildren = 3 * child\nprint(adults + children)",
            ),
        ),
    )

    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        run = sandbox.execute(self.solution(text))
        if run.status != "ok" or run.answer is None:
            return Verdict(run.status if run.status != "ok" else "no_answer")
        answer = read_answer(run.answer)
        return Verdict("ok", answer.text, answer.key) if answer else Verdict("no_answer", run.answer[:200])

    def solution(self, text: str) -> str:
        """The last fenced block, or all of the text."""
        blocks = _FENCE.findall(text)
        return (blocks[-1] if blocks else text).strip("\n").rstrip()

    def with_values(self, text: str) -> str:
        """Each line with what it computed (`total = 3 + 4 # 7`); as it is where it isn't straight-line arithmetic."""
        program = self.solution(text)
        values = values_by_line(program)
        if values is None:
            return program
        by_line = {number: value for number, _, value in values}
        return "\n".join(
            f"{line} # {by_line[number]}" if number in by_line else line
            for number, line in enumerate(program.splitlines(), 1)
        )

    def duplicate_key(self, text: str) -> str:
        """The syntax tree without names, comments and docstrings."""
        return program_key(self.solution(text))

    def calculates(self, text: str) -> bool:
        return program_calculates(self.solution(text))
