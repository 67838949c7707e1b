"""What the stages of a run share: Ray, the engines, the verifiers, one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
import time
import uuid
from collections import Counter
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mmst.actors import VerifierPool
from mmst.config import Config, EngineConfig
from mmst.errors import InputError
from mmst.methods.method import Method
from mmst.progress import Reporter
from mmst.runs.identity import seed_of
from mmst.stages.session import ray_session
from mmst.waiting import in_words, may_grow, telling_of_shortage, wait_for_resources

if TYPE_CHECKING:
    from mmst.engine import Engine

T = TypeVar("T")
Bundle = dict[str, float]
"""Resources of one process: CPU and GPU."""
_REFRESH = 10.0
"""Seconds between two queries of the cluster: each one goes to its head."""


class Runtime:
    """Everything is started when it is first needed and taken down at the end of the `with` block."""

    def __init__(self, config: Config, methods: list[Method], report: Reporter, owner: Path | None = None) -> None:
        """`owner` is the run directory that owns the engines: two runs of one name on one cluster have separate
        engines, and a resumed run finds those that it left behind."""
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
        self._ray_died = False

    def __enter__(self) -> Runtime:
        self._exit.enter_context(self._loop)
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            if not self._ray_died:
                if self._verifiers is not None:
                    self.wait(self._verifiers.close())
                self.release_engines()
        finally:
            self._exit.__exit__(*error)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, on the same event loop every time."""
        return self._loop.run(work)

    def _interrupt(self) -> None:
        """Cancel what `wait` waits for: Ray died, so the answer may never come."""
        self._ray_died = True
        loop = self._loop.get_loop()
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])

    def cluster(self) -> None:
        """Join the Ray cluster that the configuration or RAY_ADDRESS names, else start a private one.

        Raises InputError if it has too few resources.
        """
        import ray

        if not ray.is_initialized():
            if self._exit.enter_context(ray_session(self.config.cluster.address, self._interrupt)):
                check_resources(self.config, ray.cluster_resources())
            else:
                self._remove_leftovers()
                self._wait_for_resources()

    def _remove_leftovers(self) -> None:
        """A killed driver leaves engines that hold GPUs; remove them first."""
        from ray import serve

        for name in serve.status().applications:
            if name == self.name or name.startswith(f"{self.name}-"):
                self.report.line(f"engine: removing {name}, left over from an earlier start of this run")
                serve.delete(name)

    def _wait_for_resources(self) -> None:
        """Ask a cluster that autoscales to grow, then wait until it has the resources of the run."""
        import ray
        from ray.autoscaler.sdk import request_resources

        asked = needed(self.config)
        timeout = None if may_grow() else self.config.cluster.resource_timeout
        if any(amount > ray.cluster_resources().get(name, 0.0) for name, amount in asked.items()):
            request_resources(bundles=bundles(self.config))
            self._exit.callback(request_resources, bundles=[])
        wait_for_resources(asked, ray.cluster_resources, timeout, self.report.line)
        self._exit.enter_context(telling_of_shortage(asked, ray.cluster_resources, self.report.line))

    def engine(self, checkpoint: Path | str, role: str = "solver", settings: EngineConfig | None = None) -> Engine:
        """The engine of a role, loaded with this checkpoint. Engines with other settings (a teacher's) replace those
        that run: only one set has the devices at a time."""
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
        """Stop the engines and free their devices."""
        while self._engines:
            _, engine = self._engines.popitem()
            engine.stop()

    def make_room_for_training(self) -> None:
        """Stop the engines if they share their devices with the trainer."""
        if self.config.cluster.placement == "shared":
            self.release_engines()

    def verifiers(self) -> VerifierPool:
        """The pool of verifiers."""
        self.cluster()
        if self._verifiers is None:
            size = self.config.cluster.verifiers or min(os.cpu_count() or 1, 8)
            self._verifiers = VerifierPool(self.methods, self.config.sandbox, size, self.config.name)
            self.report.line(f"sandbox: {self.wait(self._verifiers.protection())}")
        return self._verifiers

    def sandbox_counts(self) -> dict[str, int]:
        """How many programs took each path through the sandbox since the last call."""
        if self._verifiers is None:
            return {}
        now = self.wait(self._verifiers.counts())
        since = {name: count - self._counted.get(name, 0) for name, count in now.items()}
        self._counted = now
        return since

    def resources(self) -> dict[str, float]:
        """`nodes`, `cpus` and `gpus` of the cluster; `replicas` of the run; requests `in_flight` and `waiting`."""
        import ray

        if ray.is_initialized() and time.monotonic() - self._cluster_seen > _REFRESH:
            self._cluster_seen = time.monotonic()
            # A head that does not answer now is no reason to stop: if it is gone, the stage itself will fail.
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


def check_resources(config: Config, there: Mapping[str, float]) -> None:
    """Raise InputError if a run never fits on this machine: its actors would wait for ever."""
    for resource, amount in needed(config).items():
        if amount > there.get(resource, 0.0):
            raise InputError(
                f"cluster: the run needs {in_words({resource: amount})} (placement {config.cluster.placement}), this "
                f"machine has {there.get(resource, 0.0):g}; lower engine.replicas, engine.{resource.lower()}s or "
                "cluster.train_workers, or set cluster.placement=shared"
            )


def needed(config: Config) -> dict[str, float]:
    """How much of each resource a run needs at the same time."""
    sums = [{name: sum(each[name] for each in phase) for name in ("CPU", "GPU")} for phase in _phases(config)]
    return {name: max(of[name] for of in sums) for name in ("CPU", "GPU")}


def bundles(config: Config) -> list[Bundle]:
    """The same process by process, for an autoscaler. Processes of different phases take turns in a bundle."""
    empty = {"CPU": 0.0, "GPU": 0.0}
    together = itertools.zip_longest(*_phases(config), fillvalue=empty)
    each = [{name: max(one[name] for one in turns) for name in empty} for turns in together]
    return [{name: amount for name, amount in bundle.items() if amount} for bundle in each]


def _phases(config: Config) -> list[list[Bundle]]:
    """The processes of each phase of a run, by what they need: engine replicas (the model's or the teacher's) and
    train workers, together if they have devices of their own, else in turn."""
    cluster = config.cluster
    training = [{"CPU": cluster.train_cpus, "GPU": cluster.train_gpus}] * cluster.train_workers
    engines = [config.engine, *([config.teacher.engine] if config.teacher and config.teacher.engine else [])]
    serving = [
        [{"CPU": engine.cpus, "GPU": engine.gpus}] * (len(config.roles) * engine.fewest_replicas) for engine in engines
    ]
    return [replicas + training for replicas in serving] if cluster.placement == "split" else [*serving, training]
