"""Prefix trees: the solution as one expression, operators before their operands (MinT, Liang et al. 2023)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mmst.methods.method import Method, text_key, verdict_on
from mmst.methods.prompts import TaskPrompt, few_shot
from mmst.problems.views import calculations_of, prefix_of, read_equation, read_prefix
from mmst.records import Verdict
from mmst.verify.answers.numerals import answer_text
from mmst.verify.equations.expression import Unreadable
from mmst.verify.fences import last_block

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
        try:
            return verdict_on(answer_text(read_prefix(self.solution(text)).value), "not_numeric")
        except Unreadable:
            return Verdict("syntax_error")

    def solution(self, text: str) -> str:
        """The last line that is a tree, without its fence, label and value."""
        body = last_block(text).strip()
        for line in reversed(body.splitlines()):
            tree = _LABEL.sub("", line.replace("`", "").strip()).partition("=")[0].strip()
            if _readable(tree):
                return tree
        return body

    def from_view(self, view: Any, answer: str | None) -> str:
        """The tree, or the tree of an infix expression."""
        text = str(view).strip()
        if _readable(text):
            return text
        try:
            return prefix_of(read_equation(text))
        except Unreadable:
            return text

    def with_values(self, text: str) -> str:
        """The tree with its calculations (`* - 8 3 2 # 8 - 3 = 5, 5 * 2 = 10`)."""
        tree = self.solution(text)
        try:
            calculations = calculations_of(read_prefix(tree))
        except Unreadable:
            return tree
        return f"{tree} # {', '.join(calculations)}" if calculations else tree

    def calculates(self, text: str) -> bool:
        return len(self.solution(text).split()) > 1

    def duplicate_key(self, text: str) -> str:
        """The tree with its numbers in canonical form."""
        tree = self.solution(text)
        try:
            return prefix_of(read_prefix(tree))
        except Unreadable:
            return text_key(tree)


def _readable(text: str) -> bool:
    try:
        read_prefix(text)
    except Unreadable:
        return False
    return True
