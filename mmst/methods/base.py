"""What a method owes, and the words that methods share: request, completion, verdict, solution, example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One completion asked of the model. `seed` makes it repeatable; see `mmst.runs.seeds`."""

    prompt: str
    seed: int
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote. `finish_reason` is `stop` (it ended) or `length` (cut off by the token limit)."""

    text: str
    finish_reason: str
    tokens: int


class Model(Protocol):
    """A model being served."""

    async def complete(self, request: Request) -> Completion: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What judging gave: `ok` with an answer, or why there is none. Never an exception turned into "wrong".

    Statuses: ok, no_answer, truncated, syntax_error, runtime_error, timeout, memory, output_limit, forbidden,
    crashed. `answer` is as it was written or computed, `key` its canonical form: equal answers have equal keys.
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
    """One row to train on: loss on the completion (and the end of text) only. `task` names its share of the mixture."""

    prompt: str
    completion: str
    task: str
