"""The interface of a method: how to prompt for a solution, read it, verify it and train on it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from mmst.methods.prompts import PromptFormat, TaskPrompt
from mmst.records import Completion, Example, Problem, Request, Turn, Verdict
from mmst.verify.answers import read_answer

if TYPE_CHECKING:
    from mmst.config import Config
    from mmst.verify.programs import Sandbox

_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*|[-+*/=%^<>]")
Verify = Callable[[str, Completion], Awaitable[Verdict]]
"""Verifies a completion of a method, given by name, in a verifier actor or in this process."""


class Model(Protocol):
    """A model that completes prompts."""

    async def complete(self, request: Request) -> Completion: ...


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How one solution is sampled. `seed(role, turn)` is the seed of each request."""

    seed: Callable[[str, int], int]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0

    def request(self, prompt: str, *, role: str = "solver", turn: int = 0, stop: tuple[str, ...] = ()) -> Request:
        """The request for one turn."""
        return Request(prompt, self.seed(role, turn), self.max_tokens, self.temperature, self.top_p, stop, role)


class Method(ABC):
    """One way to write a solution and to get an answer out of it. One file, one class, registered in `methods`."""

    name: ClassVar[str]
    view: ClassVar[str]
    """The annotation style of `Problem.views` that shows this method."""
    other_views: ClassVar[tuple[str, ...]] = ()
    """Further annotation styles that `from_view` converts into this method."""
    executed: ClassVar[bool] = False
    """Whether the answer is computed from the text, so that failures are detected."""
    task_prompt: ClassVar[TaskPrompt]

    def configured(self, config: Config) -> Method:
        """This method with the settings of a run."""
        return self

    @property
    def tasks(self) -> Mapping[str, TaskPrompt]:
        """The prompt of each kind of request."""
        return {self.name: self.task_prompt}

    def prompt(self, prompt_format: PromptFormat, question: str) -> str:
        """The prompt for a solution of a question."""
        return prompt_format.to_solve(self.name, self.task_prompt, question)

    def translation_prompt(self, prompt_format: PromptFormat, text: str, target: Method, question: str | None) -> str:
        """The prompt to rewrite a solution of this method into `target`, with or without the question."""
        pairs = zip(self.task_prompt.few_shot, target.task_prompt.few_shot, strict=False)
        examples = (
            ((f"{a.question}\n" if question else "") + self.with_values(a.solution), b.solution) for a, b in pairs
        )
        task = f"{self.name}->{target.name}"
        return prompt_format.to_translate(task, target.task_prompt, self.with_values(text), question, examples)

    def translation_example(
        self, prompt_format: PromptFormat, text: str, target: Method, translated: str, question: str | None
    ) -> Example:
        """A translation of a solution of this method as a training example."""
        prompt = self.translation_prompt(prompt_format, text, target, question)
        return Example(prompt, target.solution(translated), f"{self.name}->{target.name}")

    def with_reference(self, problem: Problem) -> Method | None:
        """A variant that takes part of the work from the data, evaluated separately; None if the data has none."""
        return None

    async def solve(
        self, problem: Problem, prompt_format: PromptFormat, model: Model, verify: Verify, sampling: SamplingParams
    ) -> list[Turn]:
        """Write one solution. By default in one turn; a method may take several and use verdicts between them."""
        request = sampling.request(self.prompt(prompt_format, problem.question), stop=prompt_format.stop)
        return [Turn(request, await model.complete(request))]

    def read(self, completion: Completion, sandbox: Sandbox) -> Verdict:
        """Verify a completion. Runs in a verifier, may use the sandbox, and never raises because of the text."""
        if completion.finish_reason == "stop":
            return self.answer(completion.visible, sandbox)
        return Verdict({"length": "truncated", "error": "no_reply"}.get(completion.finish_reason, "no_answer"))

    @abstractmethod
    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        """The answer of a complete solution."""

    def solution(self, text: str) -> str:
        """The solution without surrounding text."""
        return text.strip()

    def examples(self, prompt_format: PromptFormat, question: str, text: str) -> list[Example]:
        """A solution as training examples."""
        return [Example(self.prompt(prompt_format, question), self.solution(text), self.name)]

    def from_view(self, view: Any, answer: str | None) -> str:
        """A view of the data as a solution; `answer` is the reference, for views that don't state it."""
        return str(view).strip()

    def with_values(self, text: str) -> str:
        """The solution as it is shown for translation, with its intermediate results if they can be computed."""
        return text

    def duplicate_key(self, text: str) -> str:
        """Solutions of one problem with the same key are duplicates."""
        return text_key(self.solution(text))

    def false_calculation(self, text: str) -> str | None:
        """A calculation in the solution that does not hold, as written; None if all hold."""
        return None

    def calculates(self, text: str) -> bool:
        """Whether the solution computes its answer instead of only stating it."""
        return True


def verdict_on(value: str, otherwise: str) -> Verdict:
    """The verdict on a computed value: `ok` if it is an answer, else the status `otherwise`."""
    answer = read_answer(value)
    return Verdict("ok", answer.text, answer.key) if answer else Verdict(otherwise, value[:200])


def with_comments(text: str, values: Mapping[int, str]) -> str:
    """The lines of a text, each with the value of its line number (from 1) as a comment."""
    lines = enumerate(text.splitlines(), 1)
    return "\n".join(f"{line} # {values[number]}" if number in values else line for number, line in lines)


def text_key(text: str) -> str:
    """Words, numbers and signs of a text, without case, white space and punctuation."""
    return " ".join(_WORD.findall(text.casefold()))
