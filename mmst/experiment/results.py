"""What the finished arms of an experiment came to: one row per arm, seed and method, and their summaries."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmst.runs.directory import RunDirectory
from mmst.runs.status import status_of

TRANSFER = "transfer.json"
ENSEMBLES = ("vote", "weighted", "cascade", "any")
"""Rows beside the methods' own, where there are several; `any` is right where any method is."""


def collect(seeds: Sequence[int], arms: Iterable[str], out: Path) -> list[dict[str, Any]]:
    """One row per finished arm, seed and method or ensemble: test accuracy of round 0 and of the checkpoint that was
    held at the end, the number of problems, and before and after `phi` with each method that comes later."""
    arms = list(arms)
    return [row for seed in seeds for arm in arms for row in _arm_rows(out / f"seed-{seed}" / arm, arm, seed)]


def _arm_rows(root: Path, arm: str, seed: int) -> Iterator[dict[str, Any]]:
    """The rows of one run; none until it is finished."""
    if not (root / "config.yaml").exists():
        return
    run = RunDirectory(root)
    status = status_of(run)
    done = [r for r in status["rounds"] if r["stage"] == "promote"]
    if status["state"] != "finished" or not done:
        return
    held = run.round(done[-1]["round"]).figures("promote")["round"]
    before, after = (run.round(number).figures("evaluate")["test"] for number in (done[0]["round"], held))
    start, end, transfer = _accuracies(before), _accuracies(after), transfer_of(root)
    if not after["phi"]:
        end = {name: value for name, value in end.items() if name not in ENSEMBLES}
    pool = next(r["pool"] for r in done if r["round"] == held)
    seconds = round(sum(sum(r["seconds"].values()) for r in done[1:]))
    for method, accuracy in end.items():
        yield {
            "arm": arm,
            "seed": seed,
            "method": method,
            "round": held,
            "rounds": done[-1]["round"],
            "before": start.get(method),
            "accuracy": accuracy,
            "n": after["n"],
            "slices": {name: _accuracies(part).get(method) for name, part in after["slices"].items()},
            "transfer": transfer.get(method),
            "phi": {
                pair.removeprefix(f"{method}-"): {"before": before["phi"].get(pair), "after": phi}
                for pair, phi in after["phi"].items()
                if pair.startswith(f"{method}-")
            },
            "pool": pool,
            "seconds": seconds,
        }


def _accuracies(figures: Mapping[str, Any]) -> dict[str, float]:
    """Accuracy by method, then by ensemble."""
    found = {**(figures["accuracy"] or {}), **(figures.get("ensembles", {}).get("accuracy") or {})}
    names = [*(name for name in found if name not in ENSEMBLES), *ENSEMBLES]
    return {name: found[name] for name in names if name in found}


def transfer_of(root: Path) -> dict[str, dict[str, Any]]:
    """Accuracy before and after on the related task, by method; empty where it was not measured."""
    try:
        found = json.loads((root / TRANSFER).read_text())
    except FileNotFoundError:
        return {}
    before, after = found["before"], found["after"]
    return {
        name: {"before": before["accuracy"][name], "accuracy": accuracy, "n": after["n"]}
        for name, accuracy in after["accuracy"].items()
    }


def interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and half the width of its 95 % interval (Student's t over seeds); none for fewer than two values."""
    from scipy.stats import t

    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, None
    return mean, float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))


def summarise(
    results: Sequence[Mapping[str, Any]], control: str, control_method: str | None = None
) -> list[dict[str, Any]]:
    """Per arm and method: mean accuracy, its interval, the paired difference to the control, and the mean accuracies of
    `slices`; `before` is the control's round 0."""
    by: dict[tuple[str, str], dict[int, float]] = {}
    kinds: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in results:
        if row["arm"] == control and row["rounds"]:
            by.setdefault(("before", row["method"]), {})[row["seed"]] = row["before"]
    for row in results:
        by.setdefault((row["arm"], row["method"]), {})[row["seed"]] = row["accuracy"]
        for kind, accuracy in row.get("slices", {}).items():
            if accuracy is not None:
                kinds.setdefault((row["arm"], row["method"]), {}).setdefault(kind, []).append(accuracy)
    table = []
    for (arm, method), values in by.items():
        mean, half = interval(list(values.values()))
        reference = by.get((control, control_method or method), {})
        paired = [values[seed] - reference[seed] for seed in values if seed in reference]
        difference = interval(paired) if paired and arm != control else (None, None)
        table.append(
            {
                "arm": arm,
                "method": method,
                "seeds": len(values),
                "mean": mean,
                "half_width": half,
                "difference": difference[0],
                "difference_half_width": difference[1],
                "slices": {kind: statistics.fmean(of) for kind, of in sorted(kinds.get((arm, method), {}).items())},
            }
        )
    return table


def complements(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per arm that had rounds, seed and two methods: phi of round 0 over all problems and over those that any method
    solved, phi over all at the end, and what each of the two gained since (MMST, section 5)."""
    gained = {
        (row["arm"], row["seed"], row["method"]): row["accuracy"] - row["before"]
        for row in results
        if row["rounds"] and row["before"] is not None
    }
    return [
        {
            "arm": row["arm"],
            "seed": row["seed"],
            "methods": (row["method"], other),
            "before": phi["before"]["all"],
            "before_any": phi["before"]["any_solved"],
            "after": phi["after"]["all"],
            "gains": tuple(gained[row["arm"], row["seed"], method] for method in (row["method"], other)),
        }
        for row in results
        for other, phi in row.get("phi", {}).items()
        if row["rounds"] and phi["before"] is not None
    ]
