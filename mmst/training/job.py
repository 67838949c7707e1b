"""One training stage, seen from the driver: rows in, checkpoint directory out, by DeepSpeed under Ray Train.

This module imports neither Ray nor torch until it is asked to train.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmst.config import ClusterConfig, ScheduleConfig, TrainingConfig
from mmst.errors import GaveUp, InputError
from mmst.files import checksum
from mmst.training.encode import Encoded, encode, load_tokenizer
from mmst.training.plan import draw_examples, step_count
from mmst.training.worker import FLUSH, Task, read_progress, work
from mmst.waiting import may_grow

FAILURES = 3
"""How often dead workers are replaced before training gives up."""
_FOR_EVER = 1e8
"""Seconds; Ray takes no infinity."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training stage did.

    `losses`: per step `step`, `loss` (mean per target token), `learning_rate`, `tokens`, `seconds`. `tokens` and
    `padded_tokens` are totals without and with padding. `left_out` counts rows by reason, `restarts` how often the
    workers began anew, here or in an earlier, interrupted call. `seconds`: wall time of `prepare` (tokens), `launch`
    (Ray starts the workers), `load` (the model), `steps`, `export`, `end`. `tokens_per_second` is without padding, in
    steady state: the median over the steps but for the first ones.
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

    @property
    def padding(self) -> float:
        """Share of the tokens that went through the model and were padding."""
        return 1 - self.tokens / self.padded_tokens if self.padded_tokens else 0.0

    def figures(self) -> dict[str, Any]:
        """What belongs into a manifest."""
        tenth = max(1, len(self.losses) // 10)
        last = [point["loss"] for point in self.losses[-tenth:]]
        return {
            "steps": self.steps,
            "examples": self.examples,
            "left_out": self.left_out,
            "loss": round(statistics.fmean(last), 5) if last else None,
            "tokens": self.tokens,
            "padding": round(self.padding, 4),
            "restarts": self.restarts,
            "tokens_per_second": round(self.tokens_per_second, 1),
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
        }


def train(
    *,
    rows: Path,
    role: str | None = None,
    start: str | Path,
    output: Path,
    training: TrainingConfig,
    schedule: ScheduleConfig,
    mixture: Mapping[str, float],
    cluster: ClusterConfig,
    seed: int,
    storage: Path,
    name: str,
    on_step: Callable[[dict[str, Any]], None] | None = None,
) -> TrainingResult:
    """Train a checkpoint on a Parquet file of prompts, completions and tasks. Ray must be connected.

    Parameters
    ----------
    rows: file with columns `prompt`, `completion`, `task`; with a `role` only the rows where the column `role` says so.
    start: model directory or hub id to start from.
    output: the new checkpoint directory; appears when it is complete.
    storage: directory of this stage's own files, on a file system that all nodes see, to be deleted once the new
        checkpoint is committed. Where it holds the saved steps of the same training, training goes on from there.
    name: prefix of the Ray Train run's name.
    on_step: called with every finished step, as it will stand in the result's `losses`.

    Raises InputError for a model without tokenizer, no usable rows, a loss that is not a number and a cluster that
    cannot hold the workers; GaveUp when workers fail again and again.
    """
    began = time.time()
    tokenizer = load_tokenizer(start)
    encoded = encode(rows, tokenizer, training.max_length, role)
    steps = step_count(schedule, len(encoded.tasks), training.batch)
    try:
        order = draw_examples(encoded.tasks, mixture, training.batch, steps, seed)
    except ValueError as error:
        raise InputError(f"training.mixture: {error}") from error
    task = Task(
        start=str(Path(start).resolve() if Path(start).exists() else start),
        output=str(output.resolve()),
        storage=str(storage.resolve()),
        training=training,
        schedule=schedule,
        steps=steps,
        seed=seed,
        threads=cluster.train_threads or max(1, int(cluster.train_cpus)),
        gpu=cluster.train_gpus > 0,
    )
    _prepare(task, encoded, order, cluster.train_workers)
    output.parent.mkdir(parents=True, exist_ok=True)
    launched = time.time()
    _in_thread(lambda: _fit(task, cluster, name), meanwhile=_teller(task.progress, on_step))
    return _result(task, encoded, began, launched)


def _prepare(task: Task, encoded: Encoded, order: np.ndarray, workers: int) -> None:
    """Write the data for the workers; drop what an earlier, different training left in the storage."""
    storage = Path(task.storage)
    same = hashlib.blake2b(repr((task, workers)).encode(), digest_size=16)
    same.update(encoded.tokens.tobytes() + order.tobytes())
    if Path(task.start).is_dir():
        same.update(checksum(Path(task.start)).encode())
    mark = storage / "identity"
    if not mark.exists() or mark.read_text() != same.hexdigest():
        shutil.rmtree(storage, ignore_errors=True)
        storage.mkdir(parents=True)
        mark.write_text(same.hexdigest())
    arrays = {"tokens": encoded.tokens, "starts": encoded.starts, "prompts": encoded.prompts, "order": order}
    np.savez(task.data, allow_pickle=False, **arrays)


def _fit(task: Task, cluster: ClusterConfig, name: str) -> None:
    """Run the workers to their end."""
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "0.5"
    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(_FOR_EVER if may_grow() else cluster.resource_timeout)
    from ray.train.v2._internal.exceptions import WorkerGroupStartupFailedError
    from ray.train.v2.api.exceptions import ControllerError, TrainingFailedError

    for start in range(FAILURES + 1):
        try:
            # A name that was used before would return without a step.
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
            # Whether workers that could not be started are started again is decided in `_fit`: Ray does not tell those
            # that died from those that the cluster has no room for.
            failure_config=FailureConfig(max_failures=FAILURES, controller_failure_limit=0),
            logging_config=LoggingConfig(log_level="ERROR"),
            # Threads that wait asleep: spinning ones take the core from the thread that they wait for as soon as
            # anything else runs on the machine. OpenMP reads this when it is loaded, so it is set from outside.
            worker_runtime_env={"env_vars": {"OMP_WAIT_POLICY": "PASSIVE"}},
        ),
    )


def _each(cluster: ClusterConfig) -> dict[str, float]:
    """What one worker asks for."""
    return {"CPU": cluster.train_cpus} | ({"GPU": cluster.train_gpus} if cluster.train_gpus > 0 else {})


def _in_thread(function: Callable[[], None], meanwhile: Callable[[], None]) -> None:
    """Run a function in a thread and do something else every half second, once more at the end.

    In the main thread Ray Train would take over Ctrl-C, and keep it after it is done.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.5)
        meanwhile()
    meanwhile()
    if failures:
        raise failures[0]


def _teller(progress: Path, on_step: Callable[[dict[str, Any]], None] | None) -> Callable[[], None]:
    """A function that reports the steps that were finished since it was last called, each once."""
    told = 0

    def tell() -> None:
        nonlocal told
        for event in read_progress(progress):
            if event["event"] == "step" and event["step"] > told:
                told = event["step"]
                if on_step is not None:
                    on_step(_point(event))

    return tell


def _point(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in ("step", "loss", "learning_rate", "tokens", "seconds")}


def _result(task: Task, encoded: Encoded, began: float, launched: float) -> TrainingResult:
    """Add up what rank 0 wrote. Raises InputError where it gave up."""
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
    )
