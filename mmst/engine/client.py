"""The driver's hold on the engine: started, asked, given another checkpoint, taken down."""

from __future__ import annotations

import asyncio
import collections
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mmst.config import EngineConfig
from mmst.errors import GaveUp, InputError
from mmst.processes import process_stat
from mmst.records import Completion, Request
from mmst.waiting import SAY_EVERY, in_words, may_grow, shortage_of

_CHUNK = 64
_COALESCE = 0.002
_STOP_WITHIN = 60.0
_DEPLOYMENT = "engine"
_CPU_HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)

Say = Callable[[str], None]


class EngineError(GaveUp):
    """The engine could not be started, or did not answer."""


class _Asked:
    """A request that waits for its completion."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.failures = 0
        self.answer: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Engine:
    """A model being served (`mmst.methods.method.Model`) by a Ray Serve application that this process owns.

    `complete` is called from one event loop; everything else may take long, blocks, and is called outside of it.
    """

    def __init__(self, name: str, config: EngineConfig, say: Say) -> None:
        self._name, self._config, self._say = name, config, say
        self._generation = 0
        self._handle: Any = None
        self._waiting: collections.deque[_Asked] = collections.deque()
        self._flying: set[_Asked] = set()
        self._limit = config.max_num_seqs * (config.replicas or config.max_replicas)
        self._flush_due = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._counts: collections.Counter[str] = collections.Counter(tokens=0, requests=0, retries=0)
        self.report: dict[str, Any] = {}

    @classmethod
    def start(cls, name: str, config: EngineConfig, checkpoint: Path | str, say: Say | None = None) -> Engine:
        """Serve a checkpoint (a directory or a hub id) as the application `name`; Ray must be there.

        A leftover application of that name is removed. `say` takes lines for people while this waits. Raises
        InputError when the checkpoint is none or the cluster doesn't have what a replica asks for, EngineError
        when the engine doesn't start.
        """
        _check(checkpoint, config)
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
        """Have all replicas hold another checkpoint: in place with a weight check, where that can't be by a fresh engine."""
        _check(checkpoint, self._config)
        self._deploy(checkpoint)

    def stop(self) -> None:
        """Take the application down, and wait until its processes have given back what they had."""
        from ray import serve

        for asked in [*self._waiting, *self._flying]:
            if not asked.answer.get_loop().is_closed():
                asked.fail(EngineError("the engine was stopped"))
        serve.delete(self._name)
        _wait_for_end(self.report)

    def stats(self) -> dict[str, int]:
        """Completions, their tokens, and requests that were asked again, since the start."""
        return dict(self._counts)

    def queue(self) -> dict[str, int]:
        """Requests that replicas work on, and those that wait for their turn."""
        return {"in_flight": len(self._flying), "waiting": len(self._waiting)}

    def replicas(self) -> int:
        """How many replicas are up."""
        return self._status()[1].get("RUNNING", 0)

    async def complete(self, request: Request) -> Completion:
        """One completion. Raises EngineError naming the request when it can't be had."""
        asked = _Asked(request)
        self._waiting.append(asked)
        self._flush_soon()
        completion = await asked.answer
        self._counts.update(requests=1, tokens=completion.tokens)
        return completion

    def _flush_soon(self) -> None:
        """Requests come one by one; what comes within a moment travels together."""
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_later(_COALESCE, self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        while self._waiting and len(self._flying) < self._limit:
            chunk: list[_Asked] = []
            while self._waiting and len(chunk) < min(_CHUNK, self._limit - len(self._flying)):
                asked = self._waiting.popleft()
                if not asked.answer.done():  # whoever asked may have gone
                    chunk.append(asked)
            if not chunk:
                return
            self._flying.update(chunk)
            task = asyncio.get_running_loop().create_task(self._ask(chunk))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, chunk: list[_Asked]) -> None:
        """Ask a replica for a chunk. What is not answered because the replica died is asked again."""
        left, cause = dict(enumerate(chunk)), Exception("its replica ended early")
        try:
            async for answers in self._handle.generate.remote(self._generation, [asked.request for asked in chunk]):
                self._settle((left.pop(number), answer) for number, answer in answers)
        except Exception as error:  # a death has many names; what isn't one is raised after the last try
            cause = error
        finally:
            self._flying.difference_update(left.values())
        for asked in left.values():
            asked.failures += 1
            if asked.failures > self._config.max_retries:
                asked.fail(EngineError(f"{_named(asked.request)} failed {asked.failures} times: {_short(cause)}"))
            elif not asked.answer.done():
                self._counts["retries"] += 1
                self._waiting.appendleft(asked)
        if left:
            await asyncio.sleep(0.5)
            self._keep_watch()
        if self._waiting:
            self._flush_soon()

    def _settle(self, answers: Iterable[tuple[_Asked, Completion | str]]) -> None:
        for asked, answer in answers:
            self._flying.discard(asked)
            if isinstance(answer, str):
                asked.fail(EngineError(f"{_named(asked.request)} was refused: {answer}"))
            elif not asked.answer.done():
                asked.answer.set_result(answer)
        if self._waiting:
            self._flush_soon()

    def _keep_watch(self) -> None:
        """After a death: while requests wait for a replica, see to it that one comes up."""
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_replicas())

    async def _watch_replicas(self) -> None:
        seen = time.monotonic()
        while any(asked.failures for asked in [*self._waiting, *self._flying]):
            status, states, message = await asyncio.to_thread(self._status)
            if states.get("RUNNING") or await asyncio.to_thread(self._room_will_come):
                seen = time.monotonic()
            if status == "DEPLOY_FAILED" or time.monotonic() - seen > self._config.start_timeout:
                for asked in [*self._waiting, *self._flying]:
                    asked.fail(EngineError(f"no replica of {self._name} is left: {message or states}"))
                return
            await asyncio.sleep(2)

    def _deploy(self, checkpoint: Path | str) -> None:
        """Set the checkpoint that replicas must serve, and wait until all do."""
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
                    "(the whole story is in Ray's logs, worker-*.out and serve/replica_*.log)"
                )
            now = time.monotonic()
            if self._room_will_come():
                room = now
            if now - room > self._config.start_timeout:
                raise InputError(
                    f"the engine did not come up within engine.start_timeout = {self._config.start_timeout:g} s; "
                    f"{self._asked_and_there()}. Raise it, ask for less (engine.cpus, engine.gpus, engine.replicas), "
                    "or add nodes"
                )
            if now - said > SAY_EVERY:
                said = now
                self._say(f"engine: still starting after {now - began:.0f} s; {self._asked_and_there()}")
            time.sleep(0.1)

    def _status(self) -> tuple[str, dict[str, int], str]:
        """Status of the application, how many replicas are in which state, and Serve's message."""
        from ray import serve

        found = serve.status().applications.get(self._name)
        if found is None:
            return "NOT_STARTED", {}, ""
        deployment = found.deployments.get(_DEPLOYMENT)
        states = {str(getattr(s, "value", s)): n for s, n in deployment.replica_states.items()} if deployment else {}
        return found.status.value, states, (deployment.message if deployment else "") or found.message

    def _room_will_come(self) -> bool:
        """Whether the cluster lost what one replica takes, and grows again."""
        import ray

        one = {"CPU": self._config.cpus, "GPU": self._config.gpus}
        return may_grow() and bool(shortage_of(one, ray.cluster_resources()))

    def _asked_and_there(self) -> str:
        import ray

        config, free, there = self._config, ray.available_resources(), ray.cluster_resources()
        replicas = config.replicas or config.min_replicas
        asked = in_words({"CPU": config.cpus, "GPU": config.gpus})
        free, there = ({name: found.get(name, 0.0) for name in ("CPU", "GPU")} for found in (free, there))
        return f"asked: {replicas} × ({asked}); free: {in_words(free)} of {in_words(there)}"


def application(config: EngineConfig, checkpoint: str, generation: int) -> Any:
    """The Serve application. Only `user_config` differs between checkpoints, and replicas stay up over that.

    They do because the version is given: Serve takes every `serve.run` without one for new code, and replaces all
    replicas. Ray keeps that argument to itself since 2.60; without it a change would be right, but slow.
    """
    from ray import serve

    from mmst.engine.deployment import Replica

    deploy: Any = serve.deployment
    if config.replicas is not None:
        size: dict[str, Any] = {"num_replicas": max(1, config.replicas)}
    else:
        size = {
            "autoscaling_config": {
                "min_replicas": config.min_replicas,
                "initial_replicas": max(1, config.min_replicas),
                "max_replicas": max(config.max_replicas, config.min_replicas),
                "target_ongoing_requests": max(1, config.max_num_seqs // _CHUNK),
                "upscale_delay_s": 5,
                "downscale_delay_s": 60,
            }
        }
    deployment = deploy(
        Replica,
        name=_DEPLOYMENT,
        user_config={"checkpoint": checkpoint, "generation": generation},
        ray_actor_options={"num_cpus": config.cpus, "num_gpus": config.gpus},
        max_ongoing_requests=config.max_num_seqs,
        max_constructor_retry_count=2,
        rolling_update_percentage=1.0,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=15,
        health_check_period_s=5,
        health_check_timeout_s=config.start_timeout,
        logging_config={"log_level": "WARNING", "enable_access_log": False},
        **size,
    )
    return deployment.options(version="1", _internal=True).bind(config)


def _check(checkpoint: Path | str, config: EngineConfig) -> None:
    """Raises InputError for a local directory that isn't a checkpoint, or not one that the engine can run."""
    root = Path(checkpoint)
    if not root.exists() and (isinstance(checkpoint, Path) or root.is_absolute()):
        raise InputError(f"{checkpoint}: there is no such checkpoint")
    if root.is_dir():
        if not (root / "config.json").is_file():
            raise InputError(f"{checkpoint}: has no config.json, so it is not a Hugging Face model directory")
        if not any(root.glob("*.safetensors")):
            raise InputError(f"{checkpoint}: has no *.safetensors; pickled weights are not loaded")
        if not any(root.glob("tokenizer*")):
            raise InputError(f"{checkpoint}: has no tokenizer; save one with `tokenizer.save_pretrained`")
        if not config.gpus:
            _check_heads(checkpoint)


def _check_heads(checkpoint: Path | str) -> None:
    sizes = json.loads((Path(checkpoint) / "config.json").read_text())
    width, heads = sizes.get("hidden_size"), sizes.get("num_attention_heads")
    size = sizes.get("head_dim") or (width // heads if width and heads else None)
    if size is not None and size not in _CPU_HEAD_SIZES:
        raise InputError(
            f"{checkpoint}: attention heads of {size} numbers have no kernel in vLLM on CPU; "
            f"it has {', '.join(map(str, _CPU_HEAD_SIZES))} (width divided by heads)"
        )


def _wait_for_end(report: dict[str, Any]) -> None:
    """Wait until the processes of a replica on this machine are gone."""
    import ray

    if not report or report["node"] != ray.get_runtime_context().get_node_id():
        return
    deadline = time.monotonic() + _STOP_WITHIN
    left = [pid for pid in report["processes"] if _alive(pid)]
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = [pid for pid in left if _alive(pid)]
    if left:
        raise EngineError(
            f"processes {left} of the engine are still there {_STOP_WITHIN:.0f} s after it was taken down"
        )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = process_stat(pid)
    return stat is not None and stat.state != "Z"


def _named(request: Request) -> str:
    return f"request with seed {request.seed} and prompt {request.prompt[:80]!r}"


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {_last_line(str(error))}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
