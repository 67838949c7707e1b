"""The remaining time of a run, estimated from its last round."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from mmst.runs.stages import STAGES


def seconds_left(rounds: Sequence[Mapping[str, Any]], last: int, now: Mapping[str, Any] | None) -> float | None:
    """Seconds until round `last` is done if every round takes as long as the last finished one.

    `rounds` come from `mmst.runs.status.round_status`, `now` is `progress.json`. None before a round with solutions is
    finished, and if the run is not running. A run that stops early is done sooner.
    """
    finished = [r["seconds"] for r in rounds if r["round"] and "promote" in r["seconds"]]
    if not finished or now is None or now["stage"] not in STAGES:
        return None
    typical: Mapping[str, float] = finished[-1]
    later = STAGES[STAGES.index(now["stage"]) + 1 :]
    this_stage = max(typical.get(now["stage"], 0.0) - (time.time() - now.get("began", time.time())), _by_pace(now), 0.0)
    this_round = this_stage + sum(typical.get(stage, 0.0) for stage in later)
    return this_round + (last - now["round"]) * sum(typical.values())


def _by_pace(now: Mapping[str, Any]) -> float:
    """Seconds that the current work still takes at its rate; 0 if the rate is unknown."""
    if not now.get("total") or not now.get("per_second"):
        return 0.0
    return float((now["total"] - now["done"]) / now["per_second"])
