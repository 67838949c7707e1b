"""What the stages of a run share while it goes on: Ray, the engine, the verifiers, one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console

from mmst.actors import VerifierPool
from mmst.config import Config, EngineConfig
from mmst.errors import InputError
from mmst.methods.method import Method
from mmst.progress import Reporter
from mmst.runs.seeds import seed_of
from mmst.waiting import in_words, may_grow, telling_of_shortage, wait_for_resources

if TYPE_CHECKING:
    from mmst.engine import Engine

T = TypeVar("T")
_STARTS = 4
"""How often a private Ray is started before giving up."""
_LOOK_EVERY = 10.0
"""Seconds between two looks at the cluster: looking asks its head."""


class Runtime:
    """Started when they are first needed, taken down at the end of the `with` block, however it ends."""

    def __init__(self, config: Config, methods: list[Method], report: Reporter, owner: Path | None = None) -> None:
        """`owner` is whom the engines on the cluster belong to, a run directory: two runs of one name on one cluster
        have engines of their own, and a run finds those that it left behind."""
        self.config, self.methods, self.report = config, methods, report
        self.name = f"mmst-{config.name}-{seed_of(str(owner or uuid.uuid4())):016x}"
        self._loop = asyncio.Runner()
        self._engines: dict[str, Engine] = {}
        self._loaded: dict[str, Path | str] = {}
        self._settings = config.engine
        self._verifiers: VerifierPool | None = None
        self._counted: dict[str, int] = {}
        self._exit = contextlib.ExitStack()
        self._cluster: dict[str, float] = {}
        self._cluster_seen = -math.inf

    def __enter__(self) -> Runtime:
        self._exit.enter_context(self._loop)
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if self._verifiers is not None:
                self.wait(self._verifiers.close())
            self.release_engines()
        finally:
            self._exit.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end on the event loop that all runtime share."""
        return self._loop.run(work)

    def cluster(self) -> None:
        """Join the Ray cluster that the configuration or the environment names, else start one of our own."""
        import ray

        if not ray.is_initialized():
            if self._exit.enter_context(ray_session(self.config.cluster.address)):
                check_resources(self.config, ray.cluster_resources())
            else:
                self._remove_leftovers()
                self._wait_for_resources()

    def _remove_leftovers(self) -> None:
        """A driver that was killed left its engines behind; they hold devices, whatever stage comes first now."""
        from ray import serve

        for name in serve.status().applications:
            if name == self.name or name.startswith(f"{self.name}-"):
                self.report.line(f"engine: removing {name}, which an earlier start of this run left behind")
                serve.delete(name)

    def _wait_for_resources(self) -> None:
        """A cluster that can is asked to grow; then wait until it has what the run needs at the same time."""
        import ray
        from ray.autoscaler.sdk import request_resources

        asked = asked_of(self.config)
        timeout = None if may_grow() else self.config.cluster.resource_timeout
        if any(amount > ray.cluster_resources().get(name, 0.0) for name, amount in asked.items()):
            request_resources(bundles=bundles_of(self.config))
            self._exit.callback(request_resources, bundles=[])
        wait_for_resources(asked, ray.cluster_resources, timeout, self.report.line)
        self._exit.enter_context(telling_of_shortage(asked, ray.cluster_resources, self.report.line))

    def engine(self, checkpoint: Path | str, role: str = "solver", settings: EngineConfig | None = None) -> Engine:
        """The engine of a role, holding this checkpoint. Other settings, a teacher's, take fresh engines: whoever
        serves has the devices to itself."""
        from mmst.engine import Engine

        self.cluster()
        settings = settings or self.config.engine
        if self._settings != settings:
            self.release_engines()
            self._settings = settings
        if role not in self._engines:
            name = self.name + ("" if role == "solver" else f"-{role}")
            self._engines[role] = Engine.start(name, settings, checkpoint, self.report.line)
        elif self._loaded[role] != checkpoint:
            self._engines[role].load(checkpoint)
        self._loaded[role] = checkpoint
        return self._engines[role]

    def release_engines(self) -> None:
        """Take the engines down and give their devices back."""
        while self._engines:
            _, engine = self._engines.popitem()
            engine.stop()

    def make_room_for_training(self) -> None:
        """Where engine and trainer share their devices, the engines go."""
        if self.config.cluster.placement == "shared":
            self.release_engines()

    def verifiers(self) -> VerifierPool:
        """The verifiers."""
        self.cluster()
        if self._verifiers is None:
            size = self.config.cluster.verifiers or min(os.cpu_count() or 1, 8)
            self._verifiers = VerifierPool(self.methods, self.config.sandbox, size, self.config.name)
            self.report.line(f"sandbox: {self.wait(self._verifiers.protection())}")
        return self._verifiers

    def sandbox_counts(self) -> dict[str, int]:
        """Programs by path through the sandbox since the last call."""
        if self._verifiers is None:
            return {}
        now = self.wait(self._verifiers.counts())
        since = {name: count - self._counted.get(name, 0) for name, count in now.items()}
        self._counted = now
        return since

    def resources(self) -> dict[str, float]:
        """What the run holds: `nodes`, `cpus` and `gpus` of the cluster, `replicas`, and its requests, `in_flight` and
        `waiting`."""
        import ray

        if ray.is_initialized() and time.monotonic() - self._cluster_seen > _LOOK_EVERY:
            self._cluster_seen = time.monotonic()
            # A head that doesn't answer now is no reason to stop: the work itself will find out if it is gone.
            with contextlib.suppress(ray.exceptions.RayError):
                there = ray.cluster_resources()
                nodes = sum(name.startswith("node:") and name != "node:__internal_head__" for name in there)
                replicas = sum(engine.replicas() for engine in self._engines.values())
                there = {"cpus": there.get("CPU", 0), "gpus": there.get("GPU", 0)}
                self._cluster = {"nodes": nodes, **there, "replicas": replicas}
        queue = Counter[str]()
        for engine in self._engines.values():
            queue.update(engine.queue())
        return self._cluster | queue


@contextlib.contextmanager
def ray_session(address: str | None) -> Iterator[bool]:
    """A connection to a cluster that is there, or a private Ray (then it yields True) that ends with the block."""
    import ray

    address = address or os.environ.get("RAY_ADDRESS")
    for left in reversed(range(_STARTS)):
        try:
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
            break
        except Exception as error:
            # Ray gives a new node 30 s, whatever else the machine is doing, and has no name for this error.
            if not left or address or "timed out during startup" not in str(error):
                raise
            ray.shutdown()
    if threading.current_thread() is threading.main_thread():
        # Ray's own handler prints a stack trace; a stopped context shall end as one that was interrupted.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    over = threading.Event()
    if not address:
        threading.Thread(target=_end_with_raylet, args=(over,), name="raylet", daemon=True).start()
    try:
        yield not address
    finally:
        over.set()
        ray.shutdown()


def _end_with_raylet(over: threading.Event) -> None:
    """End this process when the raylet of its private Ray does: what asks Ray then waits for ever, or fails in ways
    that don't tell. Nothing is cleaned up, since all that was made dies with Ray, and runs bear it at any instant."""
    import psutil

    raylet = next(child for child in psutil.Process().children() if child.name() == "raylet")
    while not over.wait(0.1):  # Ray itself ends the process as soon as it touches the object store, and says nothing
        with contextlib.suppress(psutil.NoSuchProcess):
            if raylet.status() != psutil.STATUS_ZOMBIE:
                continue
        console = Console(stderr=True)
        console.show_cursor()
        console.print(
            f"mmst: Ray's raylet (process {raylet.pid}) died: it was killed, or the machine ran out of memory. What is "
            "finished is kept; the same command goes on.",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        sys.stdout.flush()
        os._exit(1)


def check_resources(config: Config, there: Mapping[str, float]) -> None:
    """Refuse what never fits a machine of our own: such actors would wait for ever.

    Raises InputError with what was asked for and what there is.
    """
    for resource, amount in asked_of(config).items():
        if amount > there.get(resource, 0.0):
            raise InputError(
                f"cluster: {in_words({resource: amount})} are asked for (placement {config.cluster.placement}), this "
                f"machine has {there.get(resource, 0.0):g}; lower engine.replicas, engine.{resource.lower()}s or "
                "cluster.train_workers, or set cluster.placement=shared"
            )


def asked_of(config: Config) -> dict[str, float]:
    """What a run needs at the same time of each resource."""
    cluster, roles = config.cluster, len(config.roles)
    engines = [config.engine, *([config.teacher.engine] if config.teacher and config.teacher.engine else [])]
    replicas = [roles * (e.replicas if e.replicas is not None else max(1, e.min_replicas)) for e in engines]
    serving = {
        "CPU": max(count * e.cpus for count, e in zip(replicas, engines, strict=True)),
        "GPU": max(count * e.gpus for count, e in zip(replicas, engines, strict=True)),
    }
    training = {"CPU": cluster.train_workers * cluster.train_cpus, "GPU": cluster.train_workers * cluster.train_gpus}
    return {
        name: serving[name] + training[name] if cluster.placement == "split" else max(serving[name], training[name])
        for name in serving
    }


def bundles_of(config: Config) -> list[dict[str, float]]:
    """The same, process by process, as an autoscaler is told of it."""
    engine, cluster = config.engine, config.cluster
    replicas = len(config.roles) * (engine.replicas if engine.replicas is not None else max(1, engine.min_replicas))
    replica = {"CPU": engine.cpus, "GPU": engine.gpus}
    worker = {"CPU": cluster.train_cpus, "GPU": cluster.train_gpus}
    each = [replica] * replicas + [worker] * cluster.train_workers
    return [{name: amount for name, amount in bundle.items() if amount} for bundle in each]
