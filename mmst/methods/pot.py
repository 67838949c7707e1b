"""Program of thought: the solution as Python, whose value is the answer (Chen et al. 2022, Gao et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmst.methods.method import Method, text_key, verdict_on, with_comments
from mmst.methods.prompts import TaskPrompt, few_shot
from mmst.methods.syntax import program_calculates, program_key
from mmst.records import Verdict
from mmst.verify.programs import program_in, values_by_line

if TYPE_CHECKING:
    from mmst.verify.programs import Sandbox


class ProgramOfThought(Method):
    """Python. The answer is `ans`, the value that `solution()` returns, or the last one printed."""

    name = "pot"
    view = "program"
    executed = True
    task_prompt = TaskPrompt(
        solve="Solve it by a program.",
        translate="Rewrite it as a program.",
        explain="Write Python that computes the answer, one step per line, and prints it. Write nothing else.",
        few_shot=few_shot(
            "bought = 3 * 12\nkept = bought - 5\nprint(kept)",
            "child = 8 / 2\nadults = 2 * 8\nchildren = 3 * child\nprint(adults + children)",
        ),
    )

    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        run = sandbox.execute(self.solution(text))
        if run.status != "ok" or run.answer is None:
            return Verdict(run.status if run.status != "ok" else "no_answer")
        return verdict_on(run.answer, "no_answer")

    def solution(self, text: str) -> str:
        return program_in(text)

    def with_values(self, text: str) -> str:
        """Each line with its value (`total = 3 + 4 # 7`), if the program is straight-line arithmetic."""
        program = self.solution(text)
        return with_comments(program, {number: value for number, _, value in values_by_line(program) or ()})

    def duplicate_key(self, text: str) -> str:
        """The syntax tree without names, comments and docstrings."""
        program = self.solution(text)
        return program_key(program) or text_key(program)

    def calculates(self, text: str) -> bool:
        return program_calculates(self.solution(text))
