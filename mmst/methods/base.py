"""What a method owes, and the words that methods share: request, completion, verdict, solution, example."""

from __future__ import annotations

from collections.abc import Sequence
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
class Example:
    """One row to train on: loss on the completion (and the end of text) only. `task` names its share of the mixture."""

    prompt: str
    completion: str
    task: str
