"""A model behind an OpenAI-compatible HTTP interface: asked with patience, never twice, never beyond the cap."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import hashlib
import itertools
import json
import os
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from mmst.config import EndpointConfig
from mmst.engine.replies import ANSWERED, UNREACHABLE, Replies
from mmst.errors import InputError
from mmst.records import Completion, Request

_AGAIN = {408, 409, 425, 429}
"""Besides 5xx: worth another try."""
_THIS_REQUEST = {400, 413, 422}
"""The request's own fault; any other refusal would meet every request."""
_LONGEST_WAIT = 600.0
_MOST_BACKOFF = 60.0
_DRAIN = 10.0
_FEW = 20
"""Failures count against at least so many requests."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a call brought no answer; `wait` is what the server asked for, in seconds."""

    name: str
    again: bool
    wait: float = 0.0
    detail: str = ""


class Endpoint:
    """A teacher elsewhere (`mmst.methods.method.Model`).

    Parameters
    ----------
    config
        Address, limits, and the name of the variable that holds the key.
    chat
        The prompts are chat messages as JSON (`as_messages`) for `/chat/completions`, else texts for `/completions`.
    replies
        What was answered before.
    stage
        Name that the calls are counted under.

    Raises InputError where the key's variable is not set.
    """

    def __init__(
        self,
        config: EndpointConfig,
        chat: bool,
        replies: Replies,
        stage: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._config, self._chat, self._replies, self._stage, self._sleep = config, chat, replies, stage, sleep
        self._key = key_of(config)
        authorization = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._client = httpx.AsyncClient(
            headers={"Content-Type": "application/json"} | authorization,
            limits=httpx.Limits(max_connections=config.concurrency),
            timeout=None,  # one limit for the whole call is set around it: a server may send a byte now and then
        )
        self._slots = asyncio.Semaphore(config.concurrency)
        self._flying: set[asyncio.Task[Completion | _Fault]] = set()
        self._not_before = 0.0
        self._answered = self._failed = 0
        self._ended: InputError | None = None

    async def complete(self, request: Request) -> Completion:
        """One completion, from the store where it was answered before; `finish_reason` is `error` after all retries.

        Raises InputError when the cap is reached, when the endpoint refuses everything (a wrong key, address or
        model), and when more than `max_failed` of the requests found no answer.
        """
        body = self._body(request)
        key = hashlib.blake2b(
            json.dumps([self._chat, request.seed, body], sort_keys=True).encode(), digest_size=16
        ).hexdigest()
        if (known := self._replies.answer(key)) is not None:
            self._answered += 1
            return known
        async with self._slots:
            result = await self._ask(body, key)
        if not isinstance(result, Completion):
            return self._given_up(result)
        self._answered += 1
        return result

    async def _ask(self, body: dict[str, Any], key: str) -> Completion | _Fault:
        """Call until there is an answer, or no hope of one."""
        for attempt in itertools.count():
            await self._allowed()
            call = asyncio.create_task(self._call(body, key, attempt))
            self._flying.add(call)
            call.add_done_callback(self._landed)
            # An answer that is under way is paid for: it is stored even if nobody waits for it any more.
            result = await asyncio.shield(call)
            if isinstance(result, Completion) or not result.again:
                break
            if result.wait > _LONGEST_WAIT or attempt == self._config.retries:
                break
            await self._back_off(result, attempt)
        return result

    async def close(self) -> None:
        """Wait a moment for the answers under way, then end."""
        if self._flying:
            await asyncio.wait(self._flying, timeout=_DRAIN)
        for call in self._flying:
            call.cancel()
        await self._client.aclose()

    def _landed(self, call: asyncio.Task[Completion | _Fault]) -> None:
        self._flying.discard(call)
        if not call.cancelled():
            call.exception()  # whoever waited for it has it, or is gone

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._config.model,
            **({"messages": json.loads(request.prompt)} if self._chat else {"prompt": request.prompt}),
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed % 2**31,  # more is refused here and there
            **({"stop": list(request.stop)} if request.stop else {}),
            **self._config.body,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def _allowed(self) -> None:
        """Wait until a call may be made; raises InputError when no more may be."""
        config, replies = self._config, self._replies
        while True:
            while (wait := self._not_before - time.monotonic()) > 0:
                await self._sleep(wait)
            if self._ended:
                raise self._ended
            spent = None
            if config.max_calls is not None and replies.paid >= config.max_calls:
                spent = f"{replies.paid:,} calls are made (max_calls: {config.max_calls:,})"
            elif config.max_tokens_total is not None and replies.tokens >= config.max_tokens_total:
                spent = f"{replies.tokens:,} tokens are used (max_tokens_total: {config.max_tokens_total:,})"
            if spent is None and (config.max_calls is None or replies.paid + len(self._flying) < config.max_calls):
                return
            if self._flying:
                await asyncio.wait(self._flying, return_when="ALL_COMPLETED" if spent else "FIRST_COMPLETED")
            if spent:
                raise self._end(
                    f"teacher.endpoint: {spent}. Every answer is kept; raise the limit and give the same line again "
                    "to go on without asking anything twice"
                )

    async def _call(self, body: dict[str, Any], key: str, attempt: int) -> Completion | _Fault:
        """One call, written down with its outcome. Raises InputError where the endpoint refuses everything."""
        path = "/chat/completions" if self._chat else "/completions"
        read = 0
        result: Completion | _Fault = _Fault("interrupted", False)
        try:
            async with asyncio.timeout(self._config.timeout):
                read, result = self._read(await self._client.post(self._config.url + path, content=json.dumps(body)))
        except TimeoutError:
            result = _Fault("timeout", True, detail=f" (after {self._config.timeout:g} s)")
        except httpx.HTTPError as error:
            name = UNREACHABLE if isinstance(error, httpx.ConnectError) else "broken"
            result = _Fault(name, True, detail=f" ({type(error).__name__}: {error})")
        finally:
            if isinstance(result, Completion):
                self._replies.record(self._stage, key, attempt, ANSWERED, result, read)
            else:
                self._replies.record(self._stage, key, attempt, result.name)
        if isinstance(result, Completion):
            return result
        if result.name.isdigit() and not result.again and int(result.name) not in _THIS_REQUEST:
            key_is = f"; look at the key in {self._config.key_env}" if self._key else "; no key_env is given"
            why = f"{key_is if result.name in ('401', '403') else ''}{result.detail}"
            raise self._end(f"teacher.endpoint: {self._config.url}{path} answers {result.name}{why}")
        return result

    def _read(self, response: httpx.Response) -> tuple[int, Completion | _Fault]:
        """Tokens of the prompt, and the completion or what is wrong with the response."""
        status = response.status_code
        if status != 200:
            wait = retry_after(response.headers.get("retry-after"))
            return 0, _Fault(str(status), status in _AGAIN or status >= 500, wait, self._shown(response))
        try:
            data = response.json()
            choice, usage = data["choices"][0], data.get("usage") or {}
            text = (choice["message"]["content"] if self._chat else choice["text"]) or ""
            if not isinstance(text, str):
                raise TypeError("no text")
            written = int(usage.get("completion_tokens") or len(text) // 4 + 1)
            read = int(usage.get("prompt_tokens") or len(response.request.content) // 4)
            return read, Completion(text, str(choice.get("finish_reason") or "stop"), written)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
            return 0, _Fault("unreadable", True, detail=self._shown(response))

    def _shown(self, response: httpx.Response) -> str:
        """The beginning of what the server says; some repeat the key that they were given."""
        said = " ".join(response.text[:2000].split())
        said = said.replace(self._key, "***") if self._key else said
        return f" ({said[:200]})" if said else ""

    async def _back_off(self, fault: _Fault, attempt: int) -> None:
        if fault.wait:
            # It was said to one request, and holds for all.
            self._not_before = max(self._not_before, time.monotonic() + fault.wait)
        longest = min(_MOST_BACKOFF, 2 * self._config.backoff * 2**attempt)
        await self._sleep(max(fault.wait, random.uniform(0, longest)))

    def _given_up(self, fault: _Fault) -> Completion:
        self._failed += 1
        settled = self._answered + self._failed
        if self._failed > self._config.max_failed * max(settled, _FEW):
            raise self._end(
                f"teacher.endpoint: {self._failed} of {settled} requests to {self._config.url} found no answer "
                f"(max_failed: {self._config.max_failed:g}), the last one: {fault.name}{fault.detail}. Every answer is "
                "kept; the same line goes on"
            )
        return Completion("", "error", 0)

    def _end(self, message: str) -> InputError:
        """The error that this and every later request ends with."""
        self._ended = self._ended or InputError(message)
        return self._ended


def key_of(config: EndpointConfig) -> str | None:
    """The key. Raises InputError where the variable that should hold it does not."""
    if config.key_env is None:
        return None
    key = os.environ.get(config.key_env, "").strip()
    if not key:
        raise InputError(f"teacher.endpoint.key_env: the environment variable {config.key_env} is not set")
    if not re.fullmatch("[!-~]+", key):
        raise InputError(f"teacher.endpoint.key_env: what {config.key_env} holds is no key (a space, or no ASCII)")
    return key


def as_messages(messages: list[dict[str, str]]) -> str:
    """Chat messages as a prompt: what `complete` takes in chat style, and the record of what was asked."""
    return json.dumps(messages, ensure_ascii=False)


def retry_after(header: str | None) -> float:
    """Seconds that a `Retry-After` header asks to wait: a number of seconds or a date; 0 for none that can be read."""
    if not header:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        date = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    now = datetime.datetime.now(date.tzinfo)
    return max(0.0, (date - now).total_seconds())
