"""What is going on now: stage, rates, time left, resources, of every run that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmst.dashboard.charts import Chart, Series
from mmst.dashboard.rounds import training_tokens_per_second
from mmst.dashboard.run import STALE, Run, age_of
from mmst.progress import duration


@dataclass(frozen=True)
class Now:
    """The work that goes on in a run, in words; `done` and `total` for a bar, `total` none where it isn't known."""

    stage: str
    done: int
    total: int | None
    rates: list[str]
    left: str
    left_in_run: str
    resources: list[tuple[str, str]]


def now_of(run: Run) -> Now | None:
    """What a run does now; none where it isn't running or hasn't said so yet."""
    state = run.progress
    if state is None:
        return None
    stage = f"round {state.get('round')}: {state.get('stage')}"
    stage += f" ({state['work']})" if state.get("work") else ""
    if age_of(state) > STALE and state.get("work"):
        stage += f", nothing new for {duration(age_of(state))}"
    done, total = int(state.get("done") or 0), state.get("total") or None
    speed = state.get("per_second")
    left = duration((total - done) / speed) if total and speed and done < total else ""
    whole = "" if run.seconds_left is None else duration(run.seconds_left)
    return Now(stage, done, total, _rates(run, state), left, whole, _resources(run, state))


def _rates(run: Run, state: Mapping[str, Any]) -> list[str]:
    rates = []
    if speed := state.get("per_second"):
        unit = state.get("unit", "")
        rates.append(f"{speed:,.1f} {unit}/s" + (", each verified as it arrives" if unit == "solutions" else ""))
    if tokens := state.get("tokens_per_second"):
        rates.append(f"{tokens:,.0f} tokens/s")
    round_ = run.round(state["round"]) if state.get("stage") == "train" else None
    if round_ is not None and (trained := training_tokens_per_second(round_)):
        rates.append(f"{trained:,.0f} training tokens/s")
    return rates


def _resources(run: Run, state: Mapping[str, Any]) -> list[tuple[str, str]]:
    there: Mapping[str, float] = state.get("resources") or {}
    found = [(name, f"{value:g}") for name, value in there.items() if name in ("nodes", "cpus", "gpus", "replicas")]
    if state.get("stage") == "train":
        found.append(("train workers", str((run.config.get("cluster") or {}).get("train_workers", 1))))
    if "in_flight" in there:
        found.append(("requests in flight", f"{there['in_flight']:g}"))
        found.append(("waiting in the queue", f"{there.get('waiting', 0):g}"))
    return found


def held(run: Run) -> tuple[int, Mapping[str, float]] | None:
    """The round whose checkpoint the run holds, and its accuracies on test problems (dev where there is no test)."""
    for round_ in reversed(run.rounds):
        number = round_.figures("promote").get("round")
        if number is not None and (best := run.round(number)) is not None:
            return number, best.evaluation("test").get("accuracy") or best.evaluation("dev").get("accuracy") or {}
    return None


def comparison(runs: list[Run]) -> Chart:
    """Runs side by side: the vote's accuracy on test problems by round (a single method's where there is one)."""
    last = max((r.number for run in runs for r in run.done), default=0)
    series = []
    for run in runs:
        by_round = {r.number: r.evaluation("test") for r in run.done}

        def part(pick: str, side: int | None, found: Mapping[int, Any] = by_round) -> list[float | None]:
            values = [(found.get(n, {}).get(pick) or {}).get("vote") for n in range(last + 1)]
            return [None if v is None else v if side is None else v[side] for v in values]

        series.append(Series(run.name, part("accuracy", None), part("intervals", 0), part("intervals", 1)))
    note = "The methods' vote; bars are 95 % intervals (Wilson)."
    title = "Accuracy of the vote on test problems"
    return Chart("comparison", title, "lines", "round", "solved", list(range(last + 1)), series, True, note)
