"""Metrics of a run through `ray.util.metrics`: on the metrics endpoint of each node, for Prometheus and Grafana."""

from __future__ import annotations

import collections
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mmst.runs.directory import RunDirectory
from mmst.tracking.metrics import METRICS, Sample, on_point, on_progress, on_stage
from mmst.tracking.trackers import Tracker


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
