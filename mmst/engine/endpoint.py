"""A model behind an OpenAI-compatible HTTP interface, called through the `openai` package.

Added to that package: no request is answered twice, every attempt is recorded, and the caps on calls and tokens hold.
So retries are made here, where each is recorded and counted; the package makes single attempts.
"""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import itertools
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import openai

from mmst.config import EndpointConfig
from mmst.engine.replies import ANSWERED, MOST_TOKENS, UNREACHABLE, Replies
from mmst.errors import InputError
from mmst.records import Completion, Request

_RETRIED = {408, 409, 425, 429}
"""Statuses that are retried, besides 5xx."""
_BAD_REQUEST = {400, 413, 422}
"""Statuses that concern one request; any other refusal would concern every request."""
_LONGEST_WAIT = 600.0
_LONGEST_BACKOFF = 60.0
_DRAIN = 10.0
_FEW = 20
"""The share of failures is taken of at least this many requests."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why an attempt failed; `wait` is the server's `Retry-After` in seconds."""

    name: str
    again: bool
    wait: float = 0.0
    detail: str = ""


class Endpoint:
    """A remote teacher (`mmst.methods.method.Model`).

    Parameters
    ----------
    config: address, limits, and the name of the variable that holds the key.
    chat: prompts are chat messages as JSON (`as_messages`), sent to `/chat/completions`; else texts for `/completions`.
    replies: the recorded replies.
    stage: name under which the calls are counted.
    sleep: waits between attempts; tests replace it.

    Raises InputError if the key's variable is not set.
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
        self._key = config.key()
        # The package fills these headers from variables of its own, for a server that may not be OpenAI's.
        omitted = ["OpenAI-Organization", "OpenAI-Project", *([] if self._key else ["Authorization"])]
        self._headers = dict.fromkeys(omitted, openai.Omit())
        self._client = openai.AsyncOpenAI(
            base_url=config.url,
            api_key=self._key or "none",
            max_retries=0,
            timeout=None,  # `_attempt` limits the whole call: a server may send a byte now and then
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
        )
        self._slots = asyncio.Semaphore(config.concurrency)
        self._flying: set[asyncio.Task[Completion | _Fault]] = set()
        self._not_before = 0.0
        self._answered = self._failed = 0
        self._ended: InputError | None = None

    async def complete(self, request: Request) -> Completion:
        """One completion, from the record if it was answered before; `finish_reason` is `error` after all retries.

        Raises InputError when a cap is reached, when the endpoint refuses everything (wrong key, address or model),
        and when more than `max_failed` of the requests failed.
        """
        body = self._body(request)
        identity = json.dumps([self._chat, request.seed, body], sort_keys=True)
        key = hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
        if (known := self._replies.answer(key)) is not None:
            self._answered += 1
            return known
        async with self._slots:
            result = await self._ask(body, key)
        if not isinstance(result, Completion):
            return self._given_up(result)
        self._answered += 1
        return result

    async def close(self) -> None:
        """Wait a moment for replies under way, then close the connections."""
        if self._flying:
            await asyncio.wait(self._flying, timeout=_DRAIN)
        for call in self._flying:
            call.cancel()
        await self._client.close()

    async def _ask(self, body: dict[str, Any], key: str) -> Completion | _Fault:
        """Call until there is a reply, or no point in another attempt."""
        for attempt in itertools.count():
            await self._allowed()
            call = asyncio.create_task(self._attempt(body, key, attempt))
            self._flying.add(call)
            call.add_done_callback(self._landed)
            # A reply under way is paid for, so it is recorded even if its request was cancelled.
            result = await asyncio.shield(call)
            if isinstance(result, Completion) or not result.again:
                break
            if result.wait > _LONGEST_WAIT or attempt == self._config.retries:
                break
            if result.wait:  # holds for every request, not only for this one
                self._not_before = max(self._not_before, time.monotonic() + result.wait)
            longest = min(_LONGEST_BACKOFF, 2 * self._config.backoff * 2**attempt)
            await self._sleep(max(result.wait, random.uniform(0, longest)))
        return result

    def _landed(self, call: asyncio.Task[Completion | _Fault]) -> None:
        self._flying.discard(call)
        if not call.cancelled():
            call.exception()  # marks it as retrieved: the waiting request has it, or was cancelled

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._config.model,
            **({"messages": json.loads(request.prompt)} if self._chat else {"prompt": request.prompt}),
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed % 2**31,  # some servers refuse larger ones
            **({"stop": list(request.stop)} if request.stop else {}),
            **self._config.body,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def _allowed(self) -> None:
        """Wait until another call may be made. Raises InputError when a cap is reached."""
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
                    f"teacher.endpoint: {spent}. All replies are kept: raise the limit and rerun the same command"
                )

    async def _attempt(self, body: dict[str, Any], key: str, attempt: int) -> Completion | _Fault:
        """One call, recorded with its outcome. Raises InputError if the endpoint refuses every request."""
        path = "/chat/completions" if self._chat else "/completions"
        read = 0
        result: Completion | _Fault = _Fault("interrupted", False)
        try:
            async with asyncio.timeout(self._config.timeout):
                read, result = self._read(await self._create(body))
        except TimeoutError:
            result = _Fault("timeout", True, detail=f" (after {self._config.timeout:g} s)")
        except openai.APIStatusError as error:
            status, wait = error.status_code, retry_after(error.response.headers.get("retry-after"))
            again = status in _RETRIED or status >= 500
            result = _Fault(str(status), again, wait, self._shown(error.response.text))
        except openai.APIConnectionError as error:
            # Compared by name, since the HTTP library below `openai` differs between its versions.
            refused = type(error.__cause__).__name__ == "ConnectError"
            result = _Fault(UNREACHABLE if refused else "broken", True, detail=f" ({error.__cause__!r})")
        except openai.OpenAIError as error:
            result = _Fault("unreadable", True, detail=self._shown(str(error)))
        finally:
            if isinstance(result, Completion):
                self._replies.record(self._stage, key, attempt, ANSWERED, result, read)
            else:
                self._replies.record(self._stage, key, attempt, result.name)
        if isinstance(result, Completion):
            return result
        if result.name.isdigit() and not result.again and int(result.name) not in _BAD_REQUEST:
            key_is = f"; check the key in {self._config.key_env}" if self._key else "; no key_env is given"
            why = f"{key_is if result.name in ('401', '403') else ''}{result.detail}"
            raise self._end(f"teacher.endpoint: {self._config.url}{path} answers {result.name}{why}")
        return result

    async def _create(self, body: dict[str, Any]) -> Any:
        given = "messages" if self._chat else "prompt"
        create: Any = self._client.chat.completions.create if self._chat else self._client.completions.create
        rest = {name: value for name, value in body.items() if name not in ("model", given)}
        return await create(model=body["model"], extra_body=rest, extra_headers=self._headers, **{given: body[given]})

    def _read(self, reply: Any) -> tuple[int, Completion | _Fault]:
        """Prompt tokens and completion of a reply. `openai` does not validate replies, so any field may be missing."""
        try:
            choice, usage = reply.choices[0], reply.usage
            text = (choice.message.content if self._chat else choice.text) or ""
            if not isinstance(text, str):
                raise TypeError("no text")
            written = _plausible(getattr(usage, "completion_tokens", None), len(text) // 4 + 1)
            read = _plausible(getattr(usage, "prompt_tokens", None), 0)
            return read, Completion(text, str(choice.finish_reason or "stop"), written)
        except (LookupError, TypeError, AttributeError):
            return 0, _Fault("unreadable", True, detail=self._shown(str(reply)))

    def _shown(self, reply: str) -> str:
        """The beginning of a reply, without the key: some servers repeat it."""
        said = " ".join(reply[:2000].split())
        said = said.replace(self._key, "***") if self._key else said
        return f" ({said[:200]})" if said else ""

    def _given_up(self, fault: _Fault) -> Completion:
        self._failed += 1
        settled = self._answered + self._failed
        if self._failed > self._config.max_failed * max(settled, _FEW):
            raise self._end(
                f"teacher.endpoint: {self._failed} of {settled} requests to {self._config.url} failed "
                f"(max_failed: {self._config.max_failed:g}), the last one: {fault.name}{fault.detail}. All replies are "
                "kept: rerun the same command to resume"
            )
        return Completion("", "error", 0)

    def _end(self, message: str) -> InputError:
        """The error of this request and of every later one."""
        self._ended = self._ended or InputError(message)
        return self._ended


def _plausible(count: Any, otherwise: int) -> int:
    """A token count if it can be one: it counts against the cap."""
    return count if isinstance(count, int) and 0 < count < MOST_TOKENS else otherwise


def as_messages(messages: list[dict[str, str]]) -> str:
    """Chat messages as a prompt, in the form that `Endpoint.complete` takes in chat style."""
    return json.dumps(messages, ensure_ascii=False)


def retry_after(header: str | None) -> float:
    """Seconds to wait by a `Retry-After` header (seconds or a date); 0 if it is missing or unreadable."""
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header or "").timestamp() - time.time())
    except ValueError:
        return 0.0
