"""A pool of verifier actors that are kept busy in batches and replaced when they die."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmst.actors.verifier import Verifier
from mmst.config import SandboxConfig
from mmst.errors import GaveUp
from mmst.methods.method import Method
from mmst.records import Completion, Verdict

_BATCH = 64
_TRIES = 3


@dataclass(slots=True)
class _Pending:
    item: tuple[str, Completion]
    verdict: asyncio.Future[Verdict]
    tries: int = 0

    def set(self, result: Verdict | Exception) -> None:
        if self.verdict.done():  # the caller gave up
            return
        if isinstance(result, Exception):
            self.verdict.set_exception(result)
        else:
            self.verdict.set_result(result)


class VerifierPool:
    """Verifier actors behind one `await pool.verify(method, completion)`.

    When a verifier dies, a fresh one verifies each completion of its batch again, alone. A completion that kills three
    verifiers gets the verdict `crashed`. Needs a running Ray; all awaiting must happen on one event loop.
    """

    def __init__(self, methods: Sequence[Method], config: SandboxConfig, size: int, run: str = "run") -> None:
        self._methods, self._config, self._run = list(methods), config, run
        self._actors: list[Any] = [self._start(number) for number in range(size)]
        self._queue: asyncio.Queue[_Pending] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self.deaths = 0

    def _start(self, number: int) -> Any:
        import ray

        name = f"mmst-{self._run}-verifier-{number}-{uuid.uuid4().hex[:8]}"
        return ray.remote(num_cpus=0)(Verifier).options(name=name).remote(self._methods, self._config)

    async def verify(self, method: str, completion: Completion) -> Verdict:
        """The verdict on a completion of a method."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._serve(number)) for number in range(len(self._actors))]
        pending = _Pending((method, completion), asyncio.get_running_loop().create_future())
        self._queue.put_nowait(pending)
        return await pending.verdict

    async def _serve(self, number: int) -> None:
        """Feed one actor, for as long as the pool exists."""
        from ray.exceptions import RayActorError, RayError

        while True:
            batch = [await self._queue.get()]
            # A completion that killed a verifier goes alone, so that it cannot harm others.
            while batch[-1].tries == 0 and len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            results: Sequence[Verdict | Exception]
            try:
                results = await self._actors[number].verify.remote([pending.item for pending in batch])
            except RayActorError:
                self.deaths += 1
                self._actors[number] = self._start(number)
                try:
                    await self._actors[number].protection.remote()
                except RayError as error:
                    results = [GaveUp(f"no verifier can be started: {error}")] * len(batch)
                else:
                    self._retry(batch)
                    continue
            except RayError as error:
                results = [error] * len(batch)
            for pending, result in zip(batch, results, strict=True):
                pending.set(result)

    def _retry(self, batch: list[_Pending]) -> None:
        for pending in batch:
            pending.tries += 1
            if pending.tries < _TRIES:
                self._queue.put_nowait(pending)
            else:
                pending.set(Verdict("crashed"))

    async def protection(self) -> str:
        """How programs are confined, in one line; raises RayError if no verifier can be started."""
        return str(await self._actors[0].protection.remote())

    async def counts(self) -> dict[str, int]:
        """Programs by path through the sandbox and cross-check differences, over all verifiers."""
        total: collections.Counter[str] = collections.Counter()
        for actor in self._actors:
            total.update(await actor.counts.remote())
        return dict(total)

    async def close(self) -> None:
        """End the actors and their sandboxes."""
        import ray

        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for actor in self._actors:
            with contextlib.suppress(ray.exceptions.RayError, TimeoutError):
                await asyncio.wait_for(actor.close.remote(), timeout=5)
            ray.kill(actor)
        self._actors = []
