"""The record that everything is about: a problem, with or without a reference answer and worked solutions."""

from __future__ import annotations

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
