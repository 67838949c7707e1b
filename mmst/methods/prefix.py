"""Prefix trees: the solution as one expression, operators before their operands (MinT, Liang et al. 2023)."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from mmst.methods.method import Method, text_key, verdict_on
from mmst.methods.prompts import TaskPrompt, few_shot
from mmst.problems.views import Node, calculations_of, prefix_of, read_equation, read_prefix
from mmst.records import Verdict
from mmst.verify.answers.numerals import answer_text
from mmst.verify.equations.expression import Unreadable
from mmst.verify.programs.reading import last_block

if TYPE_CHECKING:
    from mmst.verify.programs import Sandbox

_LABEL = re.compile(r"^[^\n:]*:\s*")


class PrefixTree(Method):
    """A tree of numbers and `+ - * /` in preorder. The answer is its value."""

    name = "prefix"
    view = "prefix"
    other_views = ("equation",)
    executed = True
    task_prompt = TaskPrompt(
        solve="Solve it by a prefix expression.",
        translate="Rewrite it as a prefix expression.",
        explain="Write one expression of numbers and + - * / that computes the answer, with each operator before its "
        "two operands (+ 3 * 4 5 is 3 + 4 * 5), in one line. Write nothing else.",
        few_shot=few_shot("- * 3 12 5", "+ * 2 8 * 3 / 8 2"),
    )

    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        tree = _tree(self.solution(text))
        return verdict_on(answer_text(tree.value), "not_numeric") if tree else Verdict("syntax_error")

    def solution(self, text: str) -> str:
        """The last line that is a tree, without its fence, label and value."""
        body = last_block(text).strip()
        lines = (_LABEL.sub("", line.replace("`", "").strip()).partition("=")[0] for line in body.splitlines()[::-1])
        return next((line.strip() for line in lines if _tree(line.strip())), body)

    def from_view(self, view: Any, answer: str | None) -> str:
        """The tree, or the tree of an infix expression."""
        text = str(view).strip()
        with contextlib.suppress(Unreadable):
            return text if _tree(text) else prefix_of(read_equation(text))
        return text

    def with_values(self, text: str) -> str:
        """The tree with its calculations (`* - 8 3 2 # 8 - 3 = 5, 5 * 2 = 10`)."""
        text = self.solution(text)
        with contextlib.suppress(Unreadable):
            if calculations := calculations_of(read_prefix(text)):
                return f"{text} # {', '.join(calculations)}"
        return text

    def calculates(self, text: str) -> bool:
        return len(self.solution(text).split()) > 1

    def duplicate_key(self, text: str) -> str:
        """The tree with its numbers in canonical form."""
        text = self.solution(text)
        tree = _tree(text)
        return prefix_of(tree) if tree else text_key(text)


def _tree(text: str) -> Node | None:
    try:
        return read_prefix(text)
    except Unreadable:
        return None
