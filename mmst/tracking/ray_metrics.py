"""Metrics of a run through `ray.util.metrics`: on the metrics endpoint of each node, for Prometheus and Grafana."""

from __future__ import annotations

import collections
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from mmst.runs.directory import RunDirectory
from mmst.tracking.trackers import Tracker


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
    """The samples of a `progress.json` (see `mmst.runs.live`)."""
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
