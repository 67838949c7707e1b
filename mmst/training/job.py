"""A training stage on the driver: rows in, checkpoint directory out, by DeepSpeed under Ray Train.

Importing this module imports neither Ray nor torch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmst.config import ClusterConfig
from mmst.errors import GaveUp, InputError
from mmst.files import checksum, secret_key
from mmst.training.encode import Encoded, encode, load_tokenizer
from mmst.training.plan import draw_examples, step_count
from mmst.training.task import Task, TrainingRequest
from mmst.training.worker import FLUSH, read_progress, work
from mmst.waiting import may_grow

FAILURES = 3
"""How often dead workers are replaced."""
_FOR_EVER = 1e8
"""Seconds; Ray takes no infinity."""


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a training stage.

    `losses` has for each step `step`, `loss` (mean per target token), `learning_rate`, `tokens` and `seconds`. `tokens`
    and `padded_tokens` are totals without and with padding. `left_out` counts rows by reason. `restarts` counts those
    of the workers, in interrupted calls too. `seconds` is wall time: `prepare` (tokenize), `launch` (Ray starts the
    workers), `load` (the model), `steps`, `export`, `end`. `tokens_per_second` is without padding: the median over the
    steps, without the first ones. `micro_batch_tokens` is what `auto` chose.
    """

    steps: int
    examples: int
    left_out: dict[str, int]
    losses: list[dict[str, Any]]
    tokens: int
    padded_tokens: int
    restarts: int
    seconds: dict[str, float]
    tokens_per_second: float
    micro_batch_tokens: int = 0

    @property
    def padding(self) -> float:
        """Share of padding in all tokens that went through the model."""
        return 1 - self.tokens / self.padded_tokens if self.padded_tokens else 0.0

    def figures(self) -> dict[str, Any]:
        """The figures for the manifest."""
        tenth = max(1, len(self.losses) // 10)
        last = [point["loss"] for point in self.losses[-tenth:]]
        return {
            **{name: getattr(self, name) for name in ("steps", "examples", "left_out", "tokens", "restarts")},
            "loss": round(statistics.fmean(last), 5) if last else None,
            "padding": round(self.padding, 4),
            "tokens_per_second": round(self.tokens_per_second, 1),
            "micro_batch_tokens": self.micro_batch_tokens,
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
        }


def train(request: TrainingRequest, on_step: Callable[[dict[str, Any]], None] | None = None) -> TrainingResult:
    """Train a checkpoint. Ray must be connected. `on_step` is called with each finished step, as in `losses`.

    Raises InputError for a model without tokenizer, no usable rows, a loss that is not a number and a cluster without
    room for the workers; GaveUp if workers fail repeatedly.
    """
    began = time.time()
    training, cluster, output = request.training, request.cluster, request.output.resolve()
    encoded = encode(request.rows, load_tokenizer(request.start), training.max_length, request.role)
    steps = step_count(request.schedule, len(encoded.tasks), training.batch)
    try:
        order = draw_examples(encoded.tasks, request.mixture, training.batch, steps, request.seed)
    except ValueError as error:
        raise InputError(f"training.mixture: {error}") from error
    task = Task(
        start=str(Path(request.start).resolve() if Path(request.start).exists() else request.start),
        output=str(output),
        storage=str(request.storage.resolve()),
        training=training,
        schedule=request.schedule,
        steps=steps,
        seed=request.seed,
        threads=cluster.train_threads or max(1, int(cluster.train_cpus)),
        gpu=cluster.train_gpus > 0,
    )
    _prepare(task, encoded, order, cluster.train_workers)
    output.parent.mkdir(parents=True, exist_ok=True)
    launched = time.time()
    _follow(lambda: _fit(task, cluster, request.name), task.progress, on_step)
    return _result(task, encoded, began, launched)


def _prepare(task: Task, encoded: Encoded, order: np.ndarray, workers: int) -> None:
    """Write the data for the workers; clear the storage if it belongs to a different training.

    DeepSpeed's saves are pickles, which run code when they are loaded. So the identity is keyed with a secret of this
    user: saves in a run from somebody else never match.
    """
    storage = Path(task.storage)
    digest = hashlib.blake2b(repr((task, workers)).encode(), digest_size=16, key=secret_key())
    digest.update(encoded.tokens.tobytes() + order.tobytes())
    if Path(task.start).is_dir():
        digest.update(checksum(Path(task.start)).encode())
    identity = storage / "identity"
    if not identity.exists() or identity.read_text() != digest.hexdigest():
        shutil.rmtree(storage, ignore_errors=True)
        storage.mkdir(parents=True)
        identity.write_text(digest.hexdigest())
    arrays = {"tokens": encoded.tokens, "starts": encoded.starts, "prompts": encoded.prompts, "order": order}
    np.savez(task.data, allow_pickle=False, **arrays)


def _fit(task: Task, cluster: ClusterConfig, name: str) -> None:
    """Run the train workers, and replace those that die."""
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "0.5"
    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(_FOR_EVER if may_grow() else cluster.resource_timeout)
    from ray.train.v2._internal.exceptions import WorkerGroupStartupFailedError
    from ray.train.v2.api.exceptions import ControllerError, TrainingFailedError

    for start in range(FAILURES + 1):
        try:
            # With a name that was used before, `fit` returns without a step.
            _trainer(task, cluster, f"{name}-{uuid.uuid4().hex[:8]}").fit()
            return
        except ControllerError as error:
            reason = error.controller_failure
            if not isinstance(reason, WorkerGroupStartupFailedError):
                raise InputError(
                    f"cluster: {cluster.train_workers} train workers with {_each(cluster)} each could not be started "
                    f"within cluster.resource_timeout ({cluster.resource_timeout:g} s): {reason}"
                ) from error
            if start == FAILURES:
                raise GaveUp(f"train workers died {start + 1} times while they started: {reason}") from error
        except TrainingFailedError as error:
            last = str(error).strip().splitlines()[-1]
            raise GaveUp(f"training failed {FAILURES + 1} times; the last time: {last}") from error


def _trainer(task: Task, cluster: ClusterConfig, name: str) -> Any:
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.train.v2.api.config import FailureConfig, LoggingConfig, RunConfig, ScalingConfig

    return TorchTrainer(
        lambda: work(task),
        torch_config=TorchConfig(backend="nccl" if task.gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=cluster.train_workers, use_gpu=task.gpu, resources_per_worker=_each(cluster)
        ),
        run_config=RunConfig(  # type: ignore[arg-type]  # Ray's annotation is of its older class
            name=name,
            storage_path=str(Path(task.storage) / "ray"),
            # `_fit` decides whether workers that did not start are started again: Ray does not distinguish those that
            # died from those that the cluster has no room for.
            failure_config=FailureConfig(max_failures=FAILURES, controller_failure_limit=0),
            logging_config=LoggingConfig(log_level="ERROR"),
            # Waiting threads sleep: on a busy machine spinning ones take the core from the thread that they wait for.
            # OpenMP reads this when it is loaded, so it is set from outside.
            worker_runtime_env={"env_vars": {"OMP_WAIT_POLICY": "PASSIVE"}},
        ),
    )


def _each(cluster: ClusterConfig) -> dict[str, float]:
    """Resources of one worker."""
    return {"CPU": cluster.train_cpus} | ({"GPU": cluster.train_gpus} if cluster.train_gpus > 0 else {})


def _follow(fit: Callable[[], None], progress: Path, on_step: Callable[[dict[str, Any]], None] | None) -> None:
    """Run `fit` in a thread, and meanwhile pass each finished step to `on_step`.

    In the main thread Ray Train would install its own handler of Ctrl-C, and keep it.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            fit()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    reported, running = 0, True
    while running:
        thread.join(0.5)
        running = thread.is_alive()
        for event in read_progress(progress):
            if event["event"] == "step" and event["step"] > reported:
                reported = event["step"]
                if on_step is not None:
                    on_step(_point(event))
    if failures:
        raise failures[0]


def _point(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in ("step", "loss", "learning_rate", "tokens", "seconds")}


def _result(task: Task, encoded: Encoded, began: float, launched: float) -> TrainingResult:
    """The result by the events that rank 0 wrote. Raises InputError if it gave up."""
    events = read_progress(task.progress)
    of = {kind: [event for event in events if event["event"] == kind] for kind in ("start", "step", "export", "failed")}
    if of["failed"]:
        raise InputError(of["failed"][-1]["why"])
    here = [event["time"] for event in of["start"] if event["time"] > launched]
    seconds = {"prepare": launched - began, "launch": min(here, default=launched) - launched}
    seconds["load"] = sum(event["seconds"] for event in of["start"])
    seconds["steps"] = sum(event["seconds"] for event in of["step"])
    seconds["export"] = sum(event["seconds"] for event in of["export"])
    seconds["end"] = max(0.0, time.time() - began - sum(seconds.values()))
    steady = of["step"][FLUSH:] or of["step"]
    return TrainingResult(
        steps=task.steps,
        examples=len(encoded.tasks),
        left_out=encoded.left_out,
        losses=[_point(event) for event in of["step"]],
        tokens=sum(event["tokens"] for event in of["step"]),
        padded_tokens=sum(event["padded"] for event in of["step"]),
        restarts=len(of["start"]) - 1,
        seconds=seconds,
        tokens_per_second=statistics.median(event["tokens"] / event["seconds"] for event in steady),
        micro_batch_tokens=of["start"][-1]["micro_batch_tokens"],
    )
