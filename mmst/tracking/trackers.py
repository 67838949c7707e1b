"""TensorBoard, Weights & Biases and MLflow through their own libraries; all write to `tracking/` in the run.

accelerate has trackers too, but they need its PartialState, and with it torch, in the driver.
"""

from __future__ import annotations

import collections
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from mmst.runs.directory import RunDirectory


class Tracker:
    """Takes the figures of a run. Subclasses write curves in `log`."""

    def stage(self, round_: int, stage: str, manifest: Mapping[str, Any]) -> None:
        """Take the figures of a finished stage from its manifest."""
        figures = {**manifest.get("figures", {}), "seconds": manifest.get("seconds")}
        self.log({f"{stage}/{name}": value for name, value in flat(figures)}, "round", round_)

    def point(self, round_: int, stage: str, point: Mapping[str, float]) -> None:
        """Take a point of a curve: values and their `step`."""
        curve = f"round-{round_:03d}/{stage}"
        values = {f"{curve}/{name}": value for name, value in flat(point) if name != "step"}
        self.log(values, f"{curve}/step", int(point["step"]))

    def progress(self, state: Mapping[str, Any]) -> None:
        """Take the content of `progress.json`."""

    def log(self, values: Mapping[str, float], axis: str, step: int) -> None:
        """Write values at `step` of the axis that they share."""

    def close(self) -> None:
        """Flush and close."""


def flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in nested figures by dotted name; booleans count as 1 and 0, other values are skipped."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", float(value)


class TensorBoard(Tracker):
    """Event files, to view with `tensorboard --logdir runs`."""

    def __init__(self, run: RunDirectory) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(run.root / "tracking" / "tensorboard"))

    def log(self, values: Mapping[str, float], axis: str, step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases(Tracker):
    """Offline unless WANDB_MODE says otherwise; `wandb sync` uploads. A resumed run continues its W&B run."""

    def __init__(self, run: RunDirectory) -> None:
        import wandb

        directory = run.root / "tracking"
        directory.mkdir(exist_ok=True)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "mmst"),
            name=run.root.name,
            id=hashlib.blake2b(str(run.root).encode(), digest_size=8).hexdigest(),
            dir=str(directory),
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=wandb.Settings(silent=True, console="off"),
        )

    def log(self, values: Mapping[str, float], axis: str, step: int) -> None:
        for name in values:
            self._run.define_metric(name, step_metric=axis)
        self._run.log({**values, axis: step})

    def close(self) -> None:
        import wandb

        self._run.finish()
        wandb.teardown()  # offline, finish (0.31) returns before its service has written everything


class MLflow(Tracker):
    """A local file store unless MLFLOW_TRACKING_URI says otherwise. A resumed run continues its MLflow run."""

    def __init__(self, run: RunDirectory) -> None:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # else MLflow demands a database
        from mlflow import MlflowClient

        place = os.environ.get("MLFLOW_TRACKING_URI") or (run.root / "tracking" / "mlflow").absolute().as_uri()
        self._client = MlflowClient(place)
        name, root = os.environ.get("MLFLOW_EXPERIMENT_NAME", "mmst"), str(run.root)
        experiment = self._client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else self._client.create_experiment(name)
        found = [r for r in self._client.search_runs([number]) if r.data.tags.get("mmst.run") == root]
        opened = found[0] if found else self._client.create_run(number, tags={"mmst.run": root}, run_name=run.root.name)
        self._id = opened.info.run_id

    def log(self, values: Mapping[str, float], axis: str, step: int) -> None:
        for name, value in values.items():
            self._client.log_metric(self._id, re.sub(r"[^\w./ -]", "_", name), value, step=step)

    def close(self) -> None:
        self._client.set_terminated(self._id)


TRACKERS: dict[str, Callable[[RunDirectory], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}


class Metric(NamedTuple):
    """A metric with its tags besides `run`."""

    kind: Literal["gauge", "counter"]
    text: str
    tags: tuple[str, ...] = ()


_STAGE = ("round", "stage")
METRICS = {
    "mmst_round": Metric("gauge", "The current round."),
    "mmst_stage_share": Metric("gauge", "Share of the current stage that is done.", _STAGE),
    "mmst_items_per_second": Metric("gauge", "Solutions or training steps per second.", _STAGE),
    "mmst_tokens_per_second": Metric("gauge", "Tokens generated or trained on per second.", _STAGE),
    "mmst_items": Metric("counter", "Solutions or training steps so far.", _STAGE),
    "mmst_tokens": Metric("counter", "Tokens generated or trained on so far.", _STAGE),
    "mmst_stage_seconds": Metric("gauge", "Duration of a finished stage.", _STAGE),
    "mmst_verdicts": Metric("gauge", "Solutions by verdict.", (*_STAGE, "method", "status")),
    "mmst_kept": Metric("gauge", "Solutions that were kept.", (*_STAGE, "method")),
    "mmst_pool_rows": Metric("gauge", "Rows that the round trains on, by task and source.", ("round", "task")),
    "mmst_loss": Metric("gauge", "Training loss per target token.", _STAGE),
    "mmst_learning_rate": Metric("gauge", "Learning rate.", _STAGE),
    "mmst_accuracy": Metric("gauge", "Share of problems solved, by method and vote.", (*_STAGE, "method", "set")),
    "mmst_promoted": Metric("gauge", "Whether the round's checkpoint was promoted: 1 or 0.", ("round",)),
    "mmst_replicas": Metric("gauge", "Running engine replicas."),
    "mmst_requests_in_flight": Metric("gauge", "Requests that replicas work on."),
    "mmst_requests_waiting": Metric("gauge", "Requests in the queue."),
    "mmst_nodes": Metric("gauge", "Nodes of the cluster."),
}
_PROGRESS = {
    "done": "mmst_items",
    "tokens": "mmst_tokens",
    "per_second": "mmst_items_per_second",
    "tokens_per_second": "mmst_tokens_per_second",
}
_RESOURCES = {
    "replicas": "mmst_replicas",
    "in_flight": "mmst_requests_in_flight",
    "waiting": "mmst_requests_waiting",
    "nodes": "mmst_nodes",
}


class Sample(NamedTuple):
    """A value of a metric; of a counter, its sum so far."""

    name: str
    value: float
    tags: Mapping[str, str]


def on_progress(state: Mapping[str, Any]) -> list[Sample]:
    """The samples of a `progress.json` (see `mmst.progress`)."""
    where = {"round": str(state.get("round", "")), "stage": str(state.get("stage", ""))}
    found = [Sample("mmst_round", float(state.get("round", 0)), {})]
    found += [Sample(name, float(state[key]), where) for key, name in _PROGRESS.items() if state.get(key) is not None]
    if state.get("total"):
        found.append(Sample("mmst_stage_share", state["done"] / state["total"], where))
    resources = state.get("resources", {})
    return [*found, *(Sample(name, float(resources[key]), {}) for key, name in _RESOURCES.items() if key in resources)]


def on_point(round_: int, stage: str, point: Mapping[str, float]) -> list[Sample]:
    """The samples of a training step."""
    where = {"round": str(round_), "stage": stage}
    return [Sample(f"mmst_{key}", float(point[key]), where) for key in ("loss", "learning_rate") if key in point]


def on_stage(round_: int, stage: str, manifest: Mapping[str, Any]) -> list[Sample]:
    """The samples of a finished stage, from its manifest."""
    figures, number = manifest.get("figures", {}), {"round": str(round_)}
    where = {**number, "stage": stage}
    found = [Sample("mmst_stage_seconds", float(manifest.get("seconds", 0.0)), where)]
    for method, statuses in figures.get("statuses", {}).items():
        found += [Sample("mmst_verdicts", n, {**where, "method": method, "status": s}) for s, n in statuses.items()]
    for method, count in figures.get("kept_by_method", {}).items():
        found.append(Sample("mmst_kept", count, {**where, "method": method}))
    if stage == "train":
        found += [Sample("mmst_pool_rows", n, {**number, "task": task}) for task, n in figures["rows"].items()]
    for name in ("dev", "test"):
        for method, value in ((figures.get(name) or {}).get("accuracy") or {}).items():
            found.append(Sample("mmst_accuracy", value, {**where, "method": method, "set": name}))
    if stage == "promote":
        found.append(Sample("mmst_promoted", float(figures["promoted"]), number))
    return found


class RayMetrics(Tracker):
    """Sets gauges and increases counters while Ray is connected."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run.root.name
        self._metrics: dict[str, Any] = {}
        self._sums: dict[tuple[str, frozenset[tuple[str, str]]], float] = collections.defaultdict(float)

    def stage(self, round_: int, stage: str, manifest: Mapping[str, Any]) -> None:
        self._set(on_stage(round_, stage, manifest))

    def point(self, round_: int, stage: str, point: Mapping[str, float]) -> None:
        self._set(on_point(round_, stage, point))

    def progress(self, state: Mapping[str, Any]) -> None:
        self._set(on_progress(state))

    def _set(self, samples: Sequence[Sample]) -> None:
        ray = sys.modules.get("ray")
        if ray is None or not ray.is_initialized():
            return
        for sample in samples:
            metric, tags = self._metric(sample.name), {"run": self._run, **sample.tags}
            if METRICS[sample.name].kind == "gauge":
                metric.set(sample.value, tags)
                continue
            key = (sample.name, frozenset(tags.items()))
            before = self._sums[key] if sample.value >= self._sums[key] else 0.0  # a sum that falls has restarted
            self._sums[key] = sample.value
            if sample.value > before:
                metric.inc(sample.value - before, tags)

    def _metric(self, name: str) -> Any:
        from ray.util.metrics import Counter, Gauge

        if name not in self._metrics:
            metric = METRICS[name]
            kind = Gauge if metric.kind == "gauge" else Counter
            self._metrics[name] = kind(name, metric.text, ("run", *metric.tags))
        return self._metrics[name]
