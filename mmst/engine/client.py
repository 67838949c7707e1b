"""The driver's side of an engine: start it, send requests, change its checkpoint, stop it."""

from __future__ import annotations

import asyncio
import collections
import logging
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mmst.config import EngineConfig
from mmst.engine.deployment import CHUNK, DEPLOYMENT, application
from mmst.engine.servable import check_servable
from mmst.errors import GaveUp, InputError
from mmst.processes import process_stat
from mmst.records import Completion, Request
from mmst.waiting import SAY_EVERY, in_words, may_grow, shortage_of

_COALESCE = 0.002
_STOP_WITHIN = 60.0
_REASONS_SHOWN = 3

Say = Callable[[str], None]


class EngineError(GaveUp):
    """The engine did not start, or a request failed on every replica that it was sent to."""


class _Pending:
    """A request that waits for its completion."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.failures = 0
        self.answer: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()

    def settle(self, answer: Completion | Exception) -> None:
        if self.answer.done():  # cancelled
            return
        if isinstance(answer, Completion):
            self.answer.set_result(answer)
        else:
            self.answer.set_exception(answer)


class Engine:
    """A served model (`mmst.methods.method.Model`): a Ray Serve application that this process owns.

    `complete` is called from one event loop; all other methods block and are called outside of it.
    """

    def __init__(self, name: str, config: EngineConfig, say: Say) -> None:
        self._name, self._config, self._say = name, config, say
        self._generation = 0
        self._handle: Any = None
        self._waiting: collections.deque[_Pending] = collections.deque()
        self._flying: set[_Pending] = set()
        self._limit = config.max_num_seqs * max(1, config.most_replicas)
        self._flush_due = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._counts: collections.Counter[str] = collections.Counter(tokens=0, requests=0, retries=0, errors=0)
        self.report: dict[str, Any] = {}

    @classmethod
    def start(cls, name: str, config: EngineConfig, checkpoint: Path | str, say: Say | None = None) -> Engine:
        """Serve a checkpoint (a directory or a hub id) as the application `name`; Ray must be connected.

        A leftover application of that name is removed. `say` gets lines about what is waited for. Raises InputError
        if the checkpoint cannot be served or the cluster lacks resources, EngineError if the engine does not start.
        """
        check_servable(checkpoint, config)
        from ray import serve

        for noisy in ("ray.serve", "ray"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        engine = cls(name, config, say or (lambda line: print(line, file=sys.stderr, flush=True)))
        serve.start(proxy_location="Disabled", logging_config={"log_level": "WARNING", "enable_access_log": False})
        if name in serve.status().applications:
            engine._say(f"engine: removing the application {name} that another process left behind")
            serve.delete(name)
        try:
            engine._deploy(checkpoint)
        except BaseException:
            serve.delete(name)
            raise
        return engine

    def load(self, checkpoint: Path | str) -> None:
        """Have all replicas load another checkpoint: in place, or into new engines where that is impossible."""
        check_servable(checkpoint, self._config)
        self._deploy(checkpoint)

    def stop(self) -> None:
        """Remove the application, and wait until its processes have freed their resources."""
        from ray import serve

        for pending in [*self._waiting, *self._flying]:
            if not pending.answer.get_loop().is_closed():
                pending.settle(EngineError("the engine was stopped"))
        serve.delete(self._name)
        _wait_for_end(self.report)

    def stats(self) -> dict[str, int]:
        """Since the start: completions, their tokens, retried requests, and requests that ended as `error`."""
        return dict(self._counts)

    def queue(self) -> dict[str, int]:
        """Requests at replicas, and those that wait for their turn."""
        return {"in_flight": len(self._flying), "waiting": len(self._waiting)}

    def replicas(self) -> int:
        """How many replicas are up."""
        return self._status()[1].get("RUNNING", 0)

    async def complete(self, request: Request) -> Completion:
        """One completion; its `finish_reason` is `error` if the engine refuses the request.

        Raises EngineError naming the request if every replica that got it died.
        """
        pending = _Pending(request)
        self._waiting.append(pending)
        self._flush_soon()
        completion = await pending.answer
        self._counts.update(requests=1, tokens=completion.tokens, errors=completion.finish_reason == "error")
        return completion

    def _flush_soon(self) -> None:
        """Send what is waiting in a moment: requests that come together travel together."""
        if self._waiting and not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_later(_COALESCE, self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        while self._waiting and len(self._flying) < self._limit:
            chunk: list[_Pending] = []
            while self._waiting and len(chunk) < min(CHUNK, self._limit - len(self._flying)):
                pending = self._waiting.popleft()
                if not pending.answer.done():  # else its caller was cancelled
                    chunk.append(pending)
            if not chunk:
                return
            self._flying.update(chunk)
            task = asyncio.get_running_loop().create_task(self._send(chunk))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, chunk: list[_Pending]) -> None:
        """Send a chunk to a replica; requests that it did not answer because it died are sent again."""
        left, cause = dict(enumerate(chunk)), Exception("its replica ended early")
        try:
            async for answers in self._handle.generate.remote(self._generation, [each.request for each in chunk]):
                self._settle((left.pop(number), answer) for number, answer in answers)
        except Exception as error:  # replica death surfaces as several exception types
            cause = error
        finally:
            self._flying.difference_update(left.values())
        for pending in left.values():
            if not self._again(pending):
                reason = f"{type(cause).__name__}: {_last_line(str(cause))}"
                pending.settle(EngineError(f"{_named(pending.request)} failed {pending.failures} times: {reason}"))
        if left:
            await asyncio.sleep(0.5)
            self._keep_watch()
        self._flush_soon()

    def _settle(self, answers: Iterable[tuple[_Pending, Completion | str]]) -> None:
        for pending, answer in answers:
            self._flying.discard(pending)
            if isinstance(answer, Completion):
                pending.settle(answer)
            elif not self._again(pending):
                if self._counts["errors"] < _REASONS_SHOWN:
                    self._say(f"engine: {_named(pending.request)} failed {pending.failures} times: {answer}")
                pending.settle(Completion("", "error", 0))
        self._flush_soon()

    def _again(self, pending: _Pending) -> bool:
        """Count a failure and queue the request again, unless it has failed too often or nobody waits for it."""
        pending.failures += 1
        if pending.answer.done() or pending.failures > self._config.max_retries:
            return False
        self._counts["retries"] += 1
        self._waiting.appendleft(pending)
        return True

    def _keep_watch(self) -> None:
        """After a death, make sure that the requests that are sent again get a replica."""
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_replicas())

    async def _watch_replicas(self) -> None:
        seen = time.monotonic()
        while any(pending.failures for pending in [*self._waiting, *self._flying]):
            status, states, message = await asyncio.to_thread(self._status)
            if states.get("RUNNING") or await asyncio.to_thread(self._room_will_come):
                seen = time.monotonic()
            if status == "DEPLOY_FAILED" or time.monotonic() - seen > self._config.start_timeout:
                for pending in [*self._waiting, *self._flying]:
                    pending.settle(EngineError(f"no replica of {self._name} is left: {message or states}"))
                return
            await asyncio.sleep(2)

    def _deploy(self, checkpoint: Path | str) -> None:
        """Set the checkpoint that replicas serve, and wait until all do."""
        from ray import serve

        self._generation += 1
        place = str(Path(checkpoint).resolve()) if Path(checkpoint).is_dir() else str(checkpoint)
        app = application(self._config, place, self._generation)
        target = serve.RunTarget(app, name=self._name, route_prefix=None)
        (handle,) = serve.run_many([target], wait_for_applications_running=False)
        self._handle = handle.options(stream=True)
        self._wait_until_running(place)
        self.report = handle.report.remote(self._generation).result(timeout_s=self._config.start_timeout)

    def _wait_until_running(self, place: str) -> None:
        began = said = room = time.monotonic()
        while True:
            status, _, message = self._status()
            if status == "RUNNING":
                return
            if status in ("DEPLOY_FAILED", "UNHEALTHY"):
                raise EngineError(
                    f"the engine does not start with {place}: {_last_line(message)} "
                    "(full messages are in Ray's logs, worker-*.out and serve/replica_*.log)"
                )
            now = time.monotonic()
            if self._room_will_come():
                room = now
            if now - room > self._config.start_timeout:
                raise InputError(
                    f"the engine did not start within engine.start_timeout = {self._config.start_timeout:g} s; "
                    f"{self._resources()}. Raise it, lower engine.cpus, engine.gpus or engine.replicas, or add nodes"
                )
            if now - said > SAY_EVERY:
                said = now
                self._say(f"engine: still starting after {now - began:.0f} s; {self._resources()}")
            time.sleep(0.1)

    def _status(self) -> tuple[str, dict[str, int], str]:
        """Status of the application, number of replicas in each state, and Serve's message."""
        from ray import serve

        found = serve.status().applications.get(self._name)
        if found is None:
            return "NOT_STARTED", {}, ""
        deployment = found.deployments.get(DEPLOYMENT)
        states = {str(getattr(s, "value", s)): n for s, n in deployment.replica_states.items()} if deployment else {}
        return found.status.value, states, (deployment.message if deployment else "") or found.message

    def _room_will_come(self) -> bool:
        """Whether the cluster lacks the resources of one replica now, and grows."""
        import ray

        one = {"CPU": self._config.cpus, "GPU": self._config.gpus}
        return may_grow() and bool(shortage_of(one, ray.cluster_resources()))

    def _resources(self) -> str:
        """The requested resources beside those of the cluster."""
        import ray

        one = {"CPU": self._config.cpus, "GPU": self._config.gpus}
        free, there = ray.available_resources(), ray.cluster_resources()
        free, there = ({name: found.get(name, 0.0) for name in one} for found in (free, there))
        replicas = self._config.fewest_replicas
        return f"needed: {replicas} × ({in_words(one)}); free: {in_words(free)} of {in_words(there)}"


def _wait_for_end(report: dict[str, Any]) -> None:
    """Wait until the processes of a replica on this machine have ended."""
    import ray

    if not report or report["node"] != ray.get_runtime_context().get_node_id():
        return
    deadline = time.monotonic() + _STOP_WITHIN
    left = [pid for pid in report["processes"] if _alive(pid)]
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = [pid for pid in left if _alive(pid)]
    if left:
        raise EngineError(f"processes {left} of the engine did not end within {_STOP_WITHIN:.0f} s")


def _alive(pid: int) -> bool:
    stat = process_stat(pid)
    return stat is not None and stat.state != "Z"


def _named(request: Request) -> str:
    return f"request with seed {request.seed} and prompt {request.prompt[:80]!r}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
