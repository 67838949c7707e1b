"""The pool of verifier actor: sized to the cores, kept busy in batches, and it survives the deaths of its members."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import uuid
from collections.abc import Sequence
from typing import Any

from mmst.actors.verifier import Verifier
from mmst.config import SandboxConfig
from mmst.errors import GaveUp
from mmst.methods.method import Method
from mmst.records import Completion, Verdict

_BATCH = 64
_TRIES = 3


class _Pending:
    """A completion that waits for its verdict."""

    def __init__(self, method: str, completion: Completion) -> None:
        self.item = (method, completion)
        self.tries = 0
        self.verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()


class VerifierPool:
    """Verifier actors behind one `await pool.verify(method, completion)`.

    A completion whose verifier died is asked again alone, by a fresh actor; one that takes three verifiers with it gets
    the verdict `crashed`. Needs a running Ray; all awaiting must happen on one event loop.
    """

    def __init__(self, methods: Sequence[Method], config: SandboxConfig, size: int, run: str = "run") -> None:
        self._methods, self._config, self._run = list(methods), config, run
        self._actors: list[Any] = [self._start(number) for number in range(size)]
        self._queue: asyncio.Queue[_Pending] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.deaths = 0

    def _start(self, number: int) -> Any:
        import ray

        actor = ray.remote(num_cpus=0)(Verifier)
        return actor.options(name=f"mmst-{self._run}-verifier-{number}-{uuid.uuid4().hex[:8]}").remote(
            self._methods, self._config
        )

    async def verify(self, method: str, completion: Completion) -> Verdict:
        """The verdict on what a method wrote."""
        if self._queue is None:
            self._queue = asyncio.Queue()
            self._tasks = [asyncio.create_task(self._serve(number)) for number in range(len(self._actors))]
        pending = _Pending(method, completion)
        await self._queue.put(pending)
        return await pending.verdict

    async def _serve(self, number: int) -> None:
        """Feed one actor for as long as the pool lives."""
        from ray.exceptions import RayActorError, RayError

        assert self._queue is not None
        while True:
            batch = [await self._queue.get()]
            # What took a verifier with it goes alone, so that it cannot take its neighbours' verdicts along.
            while batch[-1].tries == 0 and len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                verdicts = await self._actors[number].verify.remote([pending.item for pending in batch])
            except RayActorError:
                self.deaths += 1
                self._actors[number] = self._start(number)
                try:
                    await self._actors[number].protection.remote()
                except RayError as error:
                    self._fail(batch, GaveUp(f"no verifier can be started: {error}"))
                else:
                    self._ask_again(batch)
                continue
            except RayError as error:
                self._fail(batch, error)
                continue
            for pending, verdict in zip(batch, verdicts, strict=True):
                if not pending.verdict.done():
                    pending.verdict.set_result(verdict)

    def _fail(self, batch: list[_Pending], error: Exception) -> None:
        for pending in batch:
            if not pending.verdict.done():
                pending.verdict.set_exception(error)

    def _ask_again(self, batch: list[_Pending]) -> None:
        assert self._queue is not None
        for pending in batch:
            pending.tries += 1
            if pending.tries < _TRIES:
                self._queue.put_nowait(pending)
            elif not pending.verdict.done():
                pending.verdict.set_result(Verdict("crashed"))

    async def protection(self) -> str:
        """What keeps programs in, in one line; raises RayError where no verifier can be started."""
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
