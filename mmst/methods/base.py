"""What a method owes, and the words that methods share: request, completion, verdict, solution, example."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from mmst.config import Config
    from mmst.methods.asking import Asking
    from mmst.problems.record import Problem
    from mmst.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Request:
    """One completion asked of the model. `seed` makes it repeatable; see `mmst.runs.seeds`. `role` says who is asked,
    where roles are checkpoints of their own."""

    prompt: str
    seed: int
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    role: str = "solver"


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote. `finish_reason` is `stop` (it ended), `length` (cut off by the token limit) or `error`
    (it was asked in vain, as often as that is done)."""

    text: str
    finish_reason: str
    tokens: int


class Model(Protocol):
    """A model being served."""

    async def complete(self, request: Request) -> Completion: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What judging gave: `ok` with an answer, or why there is none. Never an exception turned into "wrong".

    Statuses: ok, no_answer, no_reply, truncated, syntax_error, runtime_error, timeout, memory, output_limit,
    forbidden, crashed; of equations also underdetermined, contradictory, several_solutions, not_numeric, unsolved; of
    sub-questions no_questions, too_many_questions, repeated_question, unanswered_question. `answer` is as it was
    written or computed, `key` its canonical form: equal answers have equal keys.
    """

    status: str
    answer: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """One text that a model produced for one problem by one method, with its verdict: a row of `solutions/`.

    `origin_id` is the solution that it was translated from, none for a native one. `role` and `turn` tell apart
    the requests of a method that talks to the model more than once.
    """

    solution_id: str
    problem_id: str
    round: int
    method: str
    sample: int
    role: str = "solver"
    turn: int = 0
    origin_id: str | None = None
    checkpoint: str
    seed: int
    prompt: str
    text: str
    finish_reason: str
    tokens: int
    status: str
    answer: str | None
    key: str | None


@dataclass(frozen=True, slots=True)
class Example:
    """One row to train on: loss on the completion (and the end of text) only. `task` names its share of the mixture,
    `role` who learns from it."""

    prompt: str
    completion: str
    task: str
    role: str = "solver"


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange with the model on the way to a solution; the text of the last turn is the solution."""

    request: Request
    completion: Completion


@dataclass(frozen=True, slots=True)
class Draw:
    """How one solution is sampled. `seed(role, turn)` gives the seed of each request that it takes."""

    seed: Callable[[str, int], int]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0

    def request(self, prompt: str, *, role: str = "solver", turn: int = 0, stop: tuple[str, ...] = ()) -> Request:
        """The request for one turn."""
        return Request(prompt, self.seed(role, turn), self.max_tokens, self.temperature, self.top_p, stop, role)


Judge = Callable[[str, Completion], Awaitable[Verdict]]
"""Judges what a method (by name) wrote; the work happens in a judge actor or in this process."""


@dataclass(frozen=True)
class Shot:
    """A worked example for the prompt of a model that was only pretrained."""

    question: str
    solution: str


@dataclass(frozen=True)
class Wording:
    """How a method is asked for. The short ones are put after the question for a tuned model (MinT, section 3),
    the long one explains the format to a model that has never seen it."""

    solve: str
    translate: str
    explain: str
    shots: tuple[Shot, ...] = field(default=())


class Method(ABC):
    """One way to write a solution and to get an answer out of it. One file, one class, registered in `methods`."""

    name: ClassVar[str]
    view: ClassVar[str]
    """The annotation style of `Problem.views` that shows this method."""
    other_views: ClassVar[tuple[str, ...]] = ()
    """Further annotation styles that `from_view` makes this method's solution of."""
    executed: ClassVar[bool] = False
    """Whether its answer is computed from the text, so that a failure shows."""
    wording: ClassVar[Wording]

    def configured(self, config: Config) -> Method:
        """This method with the settings of a run; itself where it has none."""
        return self

    @property
    def tasks(self) -> Mapping[str, Wording]:
        """How each kind of request is worded."""
        return {self.name: self.wording}

    def with_reference(self, problem: Problem) -> Method | None:
        """This method with the part of the work that the data has done for a problem; evaluated beside it."""
        return None

    async def solve(self, problem: Problem, asking: Asking, model: Model, judge: Judge, draw: Draw) -> list[Turn]:
        """Write one solution. This default asks once; a method may take turns and look at verdicts between them."""
        prompt = asking.to_solve(self, problem.question)
        request = draw.request(prompt, stop=asking.stop)
        return [Turn(request, await model.complete(request))]

    def read(self, completion: Completion, sandbox: Sandbox) -> Verdict:
        """Judge what was written; runs in a judge, may use the sandbox, never raises for what a model wrote."""
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

    def examples(self, asking: Asking, question: str, text: str) -> list[Example]:
        """A solution as rows to train on."""
        return [Example(asking.to_solve(self, question), self.solution(text), self.name)]

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
