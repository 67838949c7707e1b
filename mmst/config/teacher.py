"""Who else writes solutions: a teacher in place of the model itself, and hints for what nobody solved."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from mmst.config.machines import EngineConfig
from mmst.config.section import Count, Section, Share
from mmst.errors import InputError


class EndpointConfig(Section):
    """A model behind an OpenAI-compatible HTTP interface. What it answers is stored in the run: nothing is asked
    twice, however the run ends."""

    url: str
    """Where the interface begins, such as `https://api.example.com/v1`."""
    model: str
    """The model's name there."""
    key_env: str | None = None
    """NAME of the environment variable that holds the key; none sends no key. The key itself stands nowhere."""
    concurrency: Count = 8
    """Calls under way at the same time."""
    timeout: Annotated[float, Field(gt=0)] = 120.0
    """Seconds that one call may take."""
    retries: Annotated[int, Field(ge=0)] = 6
    """How often a request is asked again after 429, 5xx, a time-out or an answer that can't be read."""
    backoff: Annotated[float, Field(gt=0)] = 1.0
    """Seconds before the first retry, on average; doubles with each, drawn at random; `Retry-After` counts where it
    is longer."""
    max_calls: Count | None = None
    """Stop the run after so many calls that may have cost something (all but refused ones); none: no limit."""
    max_tokens_total: Count | None = None
    """Stop the run after so many tokens, read and written; calls then under way still finish. None: no limit."""
    max_failed: Share = 0.1
    """Stop the run when more than this share of the requests stay without an answer after all retries."""
    body: dict[str, Any] = {}
    """Fields of the request that win over ours; null leaves one out (`{max_tokens: null, max_completion_tokens:
    800}`)."""

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an address such as https://api.example.com/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("holds a name, password or query, and is written down; name the key's variable in key_env")
        return url.rstrip("/")

    @field_validator("key_env")
    @classmethod
    def _name_of_a_variable(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
            # What was found is not shown: it may be the key.
            raise ValueError("expected the NAME of an environment variable in capitals, such as OPENAI_API_KEY")
        return name

    def key(self) -> str | None:
        """The key, None if `key_env` names none. Raises InputError if the variable holds no key."""
        if self.key_env is None:
            return None
        key = os.environ.get(self.key_env, "").strip()
        if not key:
            raise InputError(f"teacher.endpoint.key_env: the environment variable {self.key_env} is not set")
        if not re.fullmatch("[!-~]+", key):
            raise InputError(f"teacher.endpoint.key_env: {self.key_env} holds no key (it has spaces or is not ASCII)")
        return key


class TeacherConfig(Section):
    """Who writes the solutions of a round with `generator: teacher`: exactly one of path, endpoint and views."""

    path: str | None = None
    """A local Hugging Face directory or a hub id, served as the model itself is, one of the two at a time."""
    engine: EngineConfig | None = None
    """The engine of `path`; none takes the settings of `engine`."""
    endpoint: EndpointConfig | None = None
    """A model served elsewhere."""
    views: bool = False
    """The exact solutions that came with the train problems, as if a teacher had written them. Synthetic train
    problems carry them with `problems.synthetic.views_everywhere`."""
    noise: Share = 0.0
    """Share of the solutions from `views` that are corrupted: a number or an operator changed, or a step left out."""
    style: Literal["auto", "base", "chat", "tuned"] = "auto"
    """How to ask it, as `model.style`; `auto` is `chat` for an endpoint."""

    @model_validator(mode="after")
    def _one_of_three(self) -> TeacherConfig:
        if sum((self.path is not None, self.endpoint is not None, self.views)) != 1:
            raise ValueError("expected exactly one of path, endpoint and views")
        if self.noise and not self.views:
            raise ValueError("noise corrupts the solutions of views; a model makes mistakes of its own")
        return self


class HintConfig(Section):
    """Asking again, with the reference answer, for what nothing was kept of (rationalisation: STaR, Zelikman et al.
    2022). What is kept is trained without the hint."""

    enabled: bool = False
    """Off leaves unsolved problems alone."""
    k: Count = 1
    """Samples per unsolved problem and method."""
