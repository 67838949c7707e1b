"""What every run is doing now (stage, rates, time left, resources), and how runs compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmst.dashboard.charts import Chart, Series
from mmst.dashboard.rounds import training_tokens_per_second
from mmst.dashboard.run import STALE, Run, age_of
from mmst.progress import duration, rate


@dataclass(frozen=True)
class Now:
    """The current work of a run, in words; `done` of `total` items for a bar, `total` None if unknown."""

    stage: str
    done: int
    total: int | None
    rates: list[str]
    left: str
    left_in_run: str
    resources: list[tuple[str, str]]


def now_of(run: Run) -> Now | None:
    """The current work of a run; None if it isn't running or has not reported yet."""
    state = run.progress
    if state is None:
        return None
    stage = f"round {state.get('round')}: {state.get('stage')}"
    if state.get("work"):
        stage += f" ({state['work']})"
        stage += f", no news for {duration(age_of(state))}" if age_of(state) > STALE else ""
    done, total = int(state.get("done") or 0), state.get("total") or None
    speed = state.get("per_second")
    left = duration((total - done) / speed) if total and speed and done < total else ""
    in_run = "" if run.seconds_left is None else duration(run.seconds_left)
    return Now(stage, done, total, _rates(run, state), left, in_run, _resources(run, state))


def _rates(run: Run, state: Mapping[str, Any]) -> list[str]:
    rates = []
    if speed := state.get("per_second"):
        rates.append(rate(speed, state.get("unit", "units")))
    if tokens := state.get("tokens_per_second"):
        rates.append(rate(tokens, "tokens"))
    round_ = run.round(state["round"]) if state.get("stage") == "train" else None
    if round_ is not None and (trained := training_tokens_per_second(round_)):
        rates.append(rate(trained, "training tokens"))
    return rates


def _resources(run: Run, state: Mapping[str, Any]) -> list[tuple[str, str]]:
    held: Mapping[str, float] = state.get("resources") or {}
    found = [(name, f"{value:g}") for name, value in held.items() if name in ("nodes", "cpus", "gpus", "replicas")]
    if state.get("stage") == "train":
        found.append(("train workers", str((run.config.get("cluster") or {}).get("train_workers", 1))))
    if "in_flight" in held:
        found.append(("requests in flight", f"{held['in_flight']:g}"))
        found.append(("requests in the queue", f"{held.get('waiting', 0):g}"))
    return found


def held(run: Run) -> tuple[int, Mapping[str, float]] | None:
    """The round whose checkpoint the run currently keeps, and its accuracies on test problems (else on dev)."""
    for round_ in reversed(run.rounds):
        number = round_.figures("promote").get("round")
        if number is not None and (best := run.round(number)) is not None:
            return number, best.evaluation("test").get("accuracy") or best.evaluation("dev").get("accuracy") or {}
    return None


def comparison(runs: list[Run]) -> Chart:
    """Accuracy of the majority vote on test problems by round, one line per run."""
    last = max((r.number for run in runs for r in run.done), default=0)
    series = []
    for run in runs:
        tests = [r.evaluation("test") if (r := run.round(n)) is not None else {} for n in range(last + 1)]
        shares = [(test.get("accuracy") or {}).get("vote") for test in tests]
        spread = [(test.get("intervals") or {}).get("vote") or (None, None) for test in tests]
        series.append(Series(run.name, shares, [low for low, _ in spread], [high for _, high in spread]))
    title, note = "Majority vote: accuracy on test problems", "Bars: 95 % intervals (Wilson)."
    return Chart("comparison", title, "lines", "round", "solved", list(range(last + 1)), series, True, note)
