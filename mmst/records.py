"""The records that flow through mmst, in the order in which a problem meets them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def without_thinking(text: str) -> str:
    """The text without `<think>...</think>`, also where the prompt opened it or the model never closed it."""
    before, closed, after = text.partition("</think>")
    return _THINKING.sub("", after if closed and "<think>" not in before else text)


class Problem(BaseModel):
    """One problem.

    `views` are annotated solutions that came with the data, by style: `cot` (rationale), `program` (Python),
    `equation` (one infix expression), `system` (equations over names), `socratic` (pairs of sub-question and
    answer) and `prefix` (prefix expression tree). `meta` holds further fields of the data.
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
    """A request for one completion. `seed` makes it repeatable (`mmst.runs.identity`); `role` selects the checkpoint
    where roles have their own."""

    prompt: str
    seed: int
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    role: str = "solver"


@dataclass(frozen=True, slots=True)
class Completion:
    """The text that a model wrote. `finish_reason` is `stop` (it ended), `length` (the token limit cut it off) or
    `error` (no reply after all retries)."""

    text: str
    finish_reason: str
    tokens: int

    @property
    def visible(self) -> str:
        """The text without thinking."""
        return without_thinking(self.text)


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange with the model on the way to a solution; the text of the last turn is the solution."""

    request: Request
    completion: Completion


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of verifying: `ok` with an answer, or the reason why there is none. An error is never "wrong".

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
    """One text that a model wrote for one problem by one method, with its verdict: a row of `solutions/`.

    `origin_id` is the solution that this one was translated from, None for a native one. `role` and `turn` tell apart
    the requests of a method that talks to the model more than once; all but its last turn have the status `turn`.
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

    @property
    def visible(self) -> str:
        """The text without thinking: what is filtered, translated and trained on."""
        return without_thinking(self.text)


@dataclass(frozen=True, slots=True)
class FilterDecision:
    """The filter's decision about a solution, and the label that it was compared with: a row of `decisions.parquet`.

    `reason` begins with kept, not_ok:<status>, no_label, wrong, undecided (the comparison with the label was),
    no_calculation, calculation (a false one), duplicate, cap or balance.
    """

    solution_id: str
    problem_id: str
    method: str
    label: str | None
    label_key: str | None
    label_source: str | None
    support: float
    kept: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Example:
    """One example to train on; the loss covers the completion and the end of text. `task` names its share of the
    mixture, `role` the checkpoint that learns from it."""

    prompt: str
    completion: str
    task: str
    role: str = "solver"


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """An example with its origin: a row of `pool.parquet`.

    `source` is view, native, rationalized, translated or pair; `solution_id` is the solution that the row shows, None
    for views.
    """

    prompt: str
    completion: str
    task: str
    role: str
    source: str
    problem_id: str
    solution_id: str | None
