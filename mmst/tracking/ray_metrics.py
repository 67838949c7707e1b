"""A run's metrics through `ray.util.metrics`: on each node's metrics endpoint, for Prometheus and Grafana."""

from __future__ import annotations

import collections
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mmst.tracking.metrics import METRICS, Sample


class RayMetrics:
    """Sets gauges and raises counters once Ray is connected; before that there is nobody to look at them."""

    def __init__(self) -> None:
        self._metrics: dict[str, Any] = {}
        self._sums: dict[tuple[str, frozenset[tuple[str, str]]], float] = collections.defaultdict(float)

    def set(self, run: str, samples: Sequence[Sample]) -> None:
        """Take values over. A counter is given as its sum so far; a sum that falls has begun anew."""
        ray = sys.modules.get("ray")  # who has not imported it is not connected
        if ray is None or not ray.is_initialized():
            return
        for sample in samples:
            metric, tags = self._metric(sample.name), {"run": run, **sample.tags}
            if METRICS[sample.name].kind == "gauge":
                metric.set(sample.value, tags)
                continue
            key = (sample.name, frozenset(tags.items()))
            more = sample.value - self._sums[key] if sample.value >= self._sums[key] else sample.value
            self._sums[key] = sample.value
            if more > 0:
                metric.inc(more, tags)

    def close(self) -> None:
        """Ray keeps the last values for as long as the driver lives."""

    def _metric(self, name: str) -> Any:
        from ray.util.metrics import Counter, Gauge

        if name not in self._metrics:
            metric = METRICS[name]
            kinds: Mapping[str, Any] = {"gauge": Gauge, "counter": Counter}
            self._metrics[name] = kinds[metric.kind](name, metric.text, ("run", *metric.tags))
        return self._metrics[name]
