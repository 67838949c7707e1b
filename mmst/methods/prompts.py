"""How a checkpoint is prompted: few-shot examples, its chat template, or the question followed by an instruction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mmst.errors import InputError

Style = Literal["base", "chat", "tuned"]
AnyStyle = Literal["auto", "base", "chat", "tuned"]
_NEXT_QUESTION = "\n\nQuestion:"


@dataclass(frozen=True)
class FewShotExample:
    """A worked example for the prompt of a base model."""

    question: str
    solution: str


def few_shot(first: str, second: str) -> tuple[FewShotExample, FewShotExample]:
    """Solutions of the two example problems that every method shows."""
    return (
        FewShotExample(
            "A box holds 12 pencils. Mia buys 3 boxes and gives away 5 pencils. How many pencils does she keep?", first
        ),
        FewShotExample(
            "Tickets cost $8 for adults and half as much for children. What do 2 adults and 3 children pay?", second
        ),
    )


@dataclass(frozen=True)
class TaskPrompt:
    """The task-specific part of a prompt.

    `solve` and `translate` are short instructions that follow the question (MinT, section 3). `explain` describes
    the format to a model that was not trained on it.
    """

    solve: str
    translate: str
    explain: str
    few_shot: tuple[FewShotExample, ...] = ()


@dataclass(frozen=True)
class PromptFormat:
    """Builds every prompt for a checkpoint.

    `instructions` are those that the checkpoint was trained with, by task (`pot`, `pot->cot`); other tasks use the
    method's own. `template` renders chat messages into a prompt.
    """

    style: Style = "tuned"
    instructions: Mapping[str, str] = field(default_factory=dict)
    template: Callable[[list[dict[str, str]]], str] | None = None

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings that end a completion, in addition to the end-of-text token."""
        return (_NEXT_QUESTION,) if self.style == "base" else ()

    def to_solve(self, task: str, task_prompt: TaskPrompt, shown: str) -> str:
        """The prompt for a task on `shown`: a question, or the dialogue of a Socratic turn."""
        examples = ((example.question, example.solution) for example in task_prompt.few_shot)
        return self._prompt(shown, self.instructions.get(task, task_prompt.solve), task_prompt.explain, examples)

    def to_translate(
        self, task: str, target: TaskPrompt, shown: str, question: str | None, examples: Iterable[tuple[str, str]]
    ) -> str:
        """The prompt to rewrite a solution, with or without its question.

        `examples` are few-shot pairs of a solution, with its question if `question` is shown, and its translation.
        """
        shown = f"\nA correct solution:\n{shown}" if self.style == "chat" else shown
        above = f"{question}\n" if question else ""
        return self._prompt(above + shown, self.instructions.get(task, target.translate), target.explain, examples)

    def _prompt(self, shown: str, instruction: str, explain: str, examples: Iterable[tuple[str, str]]) -> str:
        if self.style == "tuned":
            return f"{shown}\n{instruction}\n"
        if self.style == "base":
            shots = [f"Question: {given}\n{instruction}\n{solution}" for given, solution in examples]
            return "\n\n".join([explain, *shots, f"Question: {shown}\n{instruction}\n"])
        if self.template is None:
            raise InputError("style `chat` needs a tokenizer with a chat template; use `base` or `tuned`")
        return self.template([{"role": "user", "content": f"{shown}\n\n{instruction} {explain}"}])

    def with_answer(self, question: str, answer: str) -> str:
        """The question with its answer, for rationalization (STaR)."""
        how = "" if self.style == "tuned" else " Work out how it comes about; do not merely state it."
        return f"{question}\n(The answer is {answer}.{how})"
