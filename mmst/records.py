"""The records that flow through mmst, in the order in which a problem meets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """One problem.

    `views` are solutions that came with the data, by annotation style: `cot` (rationale), `program` (Python),
    `equation` (one infix expression), `system` (equations over names), `socratic` (pairs of sub-question and
    answer) and `prefix` (prefix expression tree). `meta` is whatever else is known and is carried along.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    question: str
    answer: str | None = None
    views: dict[str, Any] = {}
    source: str = ""
    split: str = ""
    meta: dict[str, Any] = {}


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


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange with the model on the way to a solution; the text of the last turn is the solution."""

    request: Request
    completion: Completion


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying gave: `ok` with an answer, or why there is none. Never an exception turned into "wrong".

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
class FilterDecision:
    """A row of `decisions.parquet`: what became of a solution, and the label that it was held against."""

    solution_id: str
    problem_id: str
    method: str
    label: str | None
    label_key: str | None
    label_source: str | None
    support: float
    kept: bool
    reason: str
