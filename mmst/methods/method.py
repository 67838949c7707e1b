"""The interface of a method: how to prompt for it, read it, verify it and train on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from mmst.methods.prompts import PromptFormat, TaskPrompt
from mmst.records import Completion, Example, Problem, Request, Turn, Verdict

if TYPE_CHECKING:
    from mmst.config import Config
    from mmst.verify.programs import Sandbox


class Model(Protocol):
    """A model being served."""

    async def complete(self, request: Request) -> Completion: ...


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How one solution is sampled. `seed(role, turn)` gives the seed of each request that it takes."""

    seed: Callable[[str, int], int]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0

    def request(self, prompt: str, *, role: str = "solver", turn: int = 0, stop: tuple[str, ...] = ()) -> Request:
        """The request for one turn."""
        return Request(prompt, self.seed(role, turn), self.max_tokens, self.temperature, self.top_p, stop, role)


Verify = Callable[[str, Completion], Awaitable[Verdict]]
"""Verifies what a method (by name) wrote; the work happens in a verifier actor or in this process."""


class Method(ABC):
    """One way to write a solution and to get an answer out of it. One file, one class, registered in `methods`."""

    name: ClassVar[str]
    view: ClassVar[str]
    """The annotation style of `Problem.views` that shows this method."""
    other_views: ClassVar[tuple[str, ...]] = ()
    """Further annotation styles that `from_view` makes this method's solution of."""
    executed: ClassVar[bool] = False
    """Whether its answer is computed from the text, so that a failure shows."""
    task_prompt: ClassVar[TaskPrompt]

    def configured(self, config: Config) -> Method:
        """This method with the settings of a run; itself where it has none."""
        return self

    @property
    def tasks(self) -> Mapping[str, TaskPrompt]:
        """How each kind of request is worded."""
        return {self.name: self.task_prompt}

    def prompt(self, prompt_format: PromptFormat, question: str) -> str:
        """The prompt that asks for a solution of a question."""
        return prompt_format.to_solve(self.name, self.task_prompt, question)

    def translation_prompt(self, prompt_format: PromptFormat, text: str, target: Method, question: str | None) -> str:
        """The prompt that asks to rewrite a solution of this method into `target`'s, with or without the question."""
        pairs = zip(self.task_prompt.few_shot, target.task_prompt.few_shot, strict=False)
        examples = ((a.question, self.with_values(a.solution), b.solution) for a, b in pairs)
        task = f"{self.name}->{target.name}"
        return prompt_format.to_translate(task, target.task_prompt, self.with_values(text), question, examples)

    def translation_example(
        self, prompt_format: PromptFormat, text: str, target: Method, translated: str, question: str | None
    ) -> Example:
        """A translation of a solution of this method as a row to train on."""
        prompt = self.translation_prompt(prompt_format, text, target, question)
        return Example(prompt, target.solution(translated), f"{self.name}->{target.name}")

    def with_reference(self, problem: Problem) -> Method | None:
        """This method with the part of the work that the data has done for a problem; evaluated beside it."""
        return None

    async def solve(
        self, problem: Problem, prompt_format: PromptFormat, model: Model, verify: Verify, sampling: SamplingParams
    ) -> list[Turn]:
        """Write one solution. This default asks once; a method may take turns and look at verdicts between them."""
        request = sampling.request(self.prompt(prompt_format, problem.question), stop=prompt_format.stop)
        return [Turn(request, await model.complete(request))]

    def read(self, completion: Completion, sandbox: Sandbox) -> Verdict:
        """Verify what was written; runs in a verifier, may use the sandbox, never raises for what a model wrote."""
        if completion.finish_reason == "length":
            return Verdict("truncated")
        if completion.finish_reason == "error":
            return Verdict("no_reply")
        if completion.finish_reason != "stop":
            return Verdict("no_answer")
        return self.answer(completion.text, sandbox)

    @abstractmethod
    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        """The answer of a solution that was written to its end."""

    def solution(self, text: str) -> str:
        """The solution itself, without what a model may have put around it."""
        return text.strip()

    def examples(self, prompt_format: PromptFormat, question: str, text: str) -> list[Example]:
        """A solution as rows to train on."""
        return [Example(self.prompt(prompt_format, question), self.solution(text), self.name)]

    def from_view(self, view: Any, answer: str | None) -> str:
        """A view of the data as this method's solution; `answer` is the reference, for views that don't state it."""
        return str(view).strip()

    def with_values(self, text: str) -> str:
        """The solution as it is shown to be translated, with what it computed where that can be known."""
        return text

    @abstractmethod
    def duplicate_key(self, text: str) -> str:
        """Solutions of one problem with the same key are duplicates."""

    def false_calculation(self, text: str) -> str | None:
        """A calculation in the solution that does not hold, as written; none where there is none to check."""
        return None

    def calculates(self, text: str) -> bool:
        """Whether the answer is worked out; false for one that is only stated, as a hint invites to."""
        return True
