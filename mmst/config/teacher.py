"""A teacher that writes solutions in place of the model, and hints for unsolved problems."""

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
    """A model behind an OpenAI-compatible HTTP interface. Its replies are stored in the run, so no request is sent
    again after a restart."""

    url: str
    """Base address of the interface, such as `https://api.example.com/v1`."""
    model: str
    """Name of the model."""
    key_env: str | None = None
    """NAME of the environment variable with the key; null sends no key. The key itself is never written."""
    allow_http: bool = False
    """Send the key over plain http:// to another machine, readable by everyone in between."""
    concurrency: Count = 8
    """Calls at the same time."""
    timeout: Annotated[float, Field(gt=0)] = 120.0
    """Seconds that a call may take."""
    retries: Annotated[int, Field(ge=0)] = 6
    """How often a request is retried after 429, 5xx, a timeout or an unreadable reply."""
    backoff: Annotated[float, Field(gt=0)] = 1.0
    """Mean seconds before the first retry, drawn at random; doubles with each retry. A longer `Retry-After` wins."""
    max_calls: Count | None = None
    """Stop the run after this many calls that may have cost something (all but refused ones); null is no limit."""
    max_tokens_total: Count | None = None
    """Stop the run after this many tokens, read and written; calls in progress still finish. Null is no limit."""
    max_failed: Share = 0.1
    """Stop the run when more than this share of the requests fail after all retries."""
    body: dict[str, Any] = {}
    """Fields of the request that replace those of mmst; null removes one: `{max_tokens: null, max_completion_tokens:
    800}`."""

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if not re.fullmatch("[!-~]+", url) or not 0 < (parts.port or 1) < 2**16:  # `port` raises ValueError for others
            raise ValueError("has characters or a port that no address has")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an address such as https://api.example.com/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("is stored in the run, so it may hold no name, password or query; use key_env for a key")
        return url.rstrip("/")

    @field_validator("key_env")
    @classmethod
    def _name_of_a_variable(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
            # The value is not shown: it may be the key.
            raise ValueError("expected the NAME of an environment variable in capitals, such as OPENAI_API_KEY")
        return name

    @model_validator(mode="after")
    def _key_in_private(self) -> EndpointConfig:
        parts = urlsplit(self.url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if self.key_env and parts.scheme == "http" and not (local or self.allow_http):
            raise ValueError("the key would travel over plain http://; use https://, or set allow_http: true")
        return self

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
    """The writer of a round's solutions with `generator: teacher`: exactly one of path, endpoint and views."""

    path: str | None = None
    """A local Hugging Face directory or a hub id, served in turn with the model."""
    engine: EngineConfig | None = None
    """The engine of `path`; null uses the settings of `engine`."""
    endpoint: EndpointConfig | None = None
    """A model behind an HTTP interface."""
    views: bool = False
    """Use the annotated solutions of the train problems as if a teacher had written them. Synthetic train problems
    have them with `problems.synthetic.views_everywhere`."""
    noise: Share = 0.0
    """Share of the solutions from `views` to corrupt: change a number or an operator, or leave out a step."""
    style: Literal["auto", "base", "chat", "tuned"] = "auto"
    """How it is prompted, as in `model.style`; `auto` is `chat` for an endpoint."""

    @model_validator(mode="after")
    def _one_of_three(self) -> TeacherConfig:
        if sum((self.path is not None, self.endpoint is not None, self.views)) != 1:
            raise ValueError("expected exactly one of path, endpoint and views")
        if self.noise and not self.views:
            raise ValueError("noise corrupts the solutions of views; set views, or remove noise")
        return self


class HintConfig(Section):
    """Rationalization (STaR, Zelikman et al. 2022): problems without a kept solution are solved again with the
    reference answer in the prompt. Kept solutions are trained without it."""

    enabled: bool = False
    """Whether unsolved problems are rationalized."""
    k: Count = 1
    """Samples per unsolved problem and method."""
