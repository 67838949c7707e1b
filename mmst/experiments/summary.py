"""From the rows of `results.jsonl` to tables: levels, paired differences, tests between arms, what each arm had.

Intervals are 95 % percentile intervals of a hierarchical bootstrap: resample the seeds, then the problems of each
resampled seed. With one seed only the problems are resampled. Few seeds make such an interval too narrow for the
population of seeds: three seeds underestimate the variance between seeds by a third.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from mmst.evaluation import mcnemar
from mmst.experiments.results import ENSEMBLES

RESAMPLES = 10_000
Row = Mapping[str, Any]


def interval(values: Sequence[np.ndarray]) -> tuple[float, float]:
    """Bootstrap interval of a mean over seeds of means over problems.

    Parameters
    ----------
    values
        One array per seed with one value per problem: 0 and 1, or -1, 0 and 1 for a paired difference.
    """
    levels = np.unique(np.concatenate(values))
    shares = np.array([[np.mean(of == level) for level in levels] for of in values])
    sizes = np.array([len(of) for of in values])
    random = np.random.default_rng(0)
    seeds = random.integers(len(values), size=(RESAMPLES, len(values)))
    # How often each level is drawn among n problems is multinomial; this equals drawing the problems one by one.
    counts = random.multinomial(sizes[seeds], shares[seeds])
    means = (counts @ levels / sizes[seeds]).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def summarise(rows: Iterable[Row], control: str, control_method: str | None = None) -> list[dict[str, Any]]:
    """Per arm and method: mean accuracy over seeds, mean paired difference from the control at the same seeds and
    problems, both with their intervals, and the mean accuracy of each slice."""
    table = []
    by = _by_arm_and_method(rows)
    for (arm, method), own in by.items():
        reference = by.get((control, control_method or method), {}) if arm != control else {}
        paired = _paired(own, reference)
        kinds = sorted({kind for row in own.values() for kind in row.get("slices", {})})
        slices = {
            kind: [row["slices"][kind] for row in own.values() if row["slices"].get(kind) is not None] for kind in kinds
        }
        table.append(
            {
                "arm": arm,
                "method": method,
                "seeds": len(own),
                "problems": [row["n"] for row in own.values()],
                "mean": statistics.fmean(row["accuracy"] for row in own.values()),
                "interval": _interval([_right(row) for row in own.values()]),
                "difference": statistics.fmean(a["accuracy"] - b["accuracy"] for a, b in paired) if paired else None,
                "difference_interval": _interval([_difference(a, b) for a, b in paired]),
                "slices": {kind: statistics.fmean(values) for kind, values in slices.items() if values},
            }
        )
    return table


def pairs(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Exact McNemar test of every two arms, per method and for the majority vote, pooled over their common seeds.

    `only_first` and `only_second` count the test problems that one arm solved and the other did not. The p-value is
    two-sided, holds for these seeds, and is not corrected for the number of pairs.
    """
    table = []
    by = _by_arm_and_method(rows)
    for (arm, method), (other, same) in combinations(by, 2):
        if method != same or method in ENSEMBLES[1:]:
            continue
        paired = _paired(by[arm, method], by[other, method])
        differences = [difference for a, b in paired if (difference := _difference(a, b)) is not None]
        if not differences:
            continue
        both = np.concatenate(differences)
        first, second = int((both > 0).sum()), int((both < 0).sum())
        counts = {"only_first": first, "only_second": second, "p": mcnemar(first, second)}
        table.append({"first": arm, "second": other, "method": method, "seeds": len(differences), **counts})
    return table


def had(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """What each arm trained on: samples per problem and method, and per seed the kept solutions (`pool`), annotated
    solutions (`views`) and training steps of each round."""
    arms: dict[str, dict[int, Row]] = {}
    for row in rows:
        arms.setdefault(row["arm"], {}).setdefault(row["seed"], row)
    return [
        {"arm": arm, "samples": next(iter(of.values()))["samples"]}
        | {name: [row[name] for row in of.values()] for name in ("pool", "views", "steps")}
        for arm, of in arms.items()
    ]


def complements(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Per arm that had rounds, seed and two methods: phi of their successes over all test problems before and after,
    and what each of the two gained (MMST, section 5)."""
    gained = {
        (row["arm"], row["seed"], row["method"]): row["accuracy"] - row["before"]
        for row in rows
        if row["rounds"] and row["before"] is not None
    }
    return [
        {
            "arm": row["arm"],
            "seed": row["seed"],
            "methods": (row["method"], other),
            "before": phi["before"]["all"],
            "after": phi["after"]["all"],
            "gains": tuple(gained[row["arm"], row["seed"], method] for method in (row["method"], other)),
        }
        for row in rows
        for other, phi in row.get("phi", {}).items()
        if row["rounds"] and phi["before"] is not None
    ]


def on_related_task(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The same rows with the figures of the related task instead of those of the test problems."""
    return [{**row, "slices": {}, **row["transfer"]} for row in rows if row["transfer"]]


def _by_arm_and_method(rows: Iterable[Row]) -> dict[tuple[str, str], dict[int, Row]]:
    by: dict[tuple[str, str], dict[int, Row]] = {}
    for row in rows:
        by.setdefault((row["arm"], row["method"]), {})[row["seed"]] = row
    return by


def _paired(own: Mapping[int, Row], other: Mapping[int, Row]) -> list[tuple[Row, Row]]:
    """The rows of equal seeds and equal test problems."""
    return [(own[s], other[s]) for s in own if s in other and own[s]["problems"] == other[s]["problems"]]


def _right(row: Row) -> np.ndarray | None:
    return None if row["right"] is None else np.frombuffer(row["right"].encode(), dtype=np.int8) - ord("0")


def _difference(row: Row, other: Row) -> np.ndarray | None:
    first, second = _right(row), _right(other)
    return None if first is None or second is None else first - second


def _interval(values: Sequence[np.ndarray | None]) -> tuple[float, float] | None:
    known = [of for of in values if of is not None]
    return interval(known) if known and len(known) == len(values) else None
