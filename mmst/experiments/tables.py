"""The results of an experiment as Markdown, as a table on a terminal and as a plot."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmst.experiments.results import ENSEMBLES

_NAMES = {"vote": "majority vote", "weighted": "weighted vote", "any": "any method"}
_COLUMNS = ("arm", "method", "accuracy, %", "difference from control", "problems × seeds")
_INTERVALS = "95 % intervals by bootstrap over seeds and problems in brackets"


def page(tables: Mapping[str, Sequence[Mapping[str, Any]]], control: str) -> str:
    """All tables as one Markdown page."""
    parts = [
        f"Accuracy on test problems, and the paired difference from `{control}` on the same problems and seeds; "
        f"{_INTERVALS}:\n\n{markdown(tables['test'])}"
    ]
    if any(row["slices"] for row in tables["test"]):
        parts.append(f"Kinds of test problems, accuracy in %:\n\n{_slices(tables['test'])}")
    parts.append(f"What each arm had, per seed where seeds differ:\n\n{_had(tables['arms'])}")
    if tables["pairs"]:
        parts.append(
            "Every two arms on the same problems: problems that only the first / only the second solved, and p of the "
            "exact McNemar test, pooled over seeds, not corrected for the number of pairs:\n\n"
            + _pairs(tables["pairs"])
        )
    if tables["transfer"]:
        parts.append(f"On the related task, which no arm trains on:\n\n{markdown(tables['transfer'])}")
    if tables["phi"]:
        parts.append(
            "Correlation of two methods' successes over all test problems (phi), and what each gains:\n\n"
            + _phi(tables["phi"])
        )
    return "\n".join(parts)


def markdown(table: Sequence[Mapping[str, Any]]) -> str:
    """Accuracies and differences."""
    return _markdown(_COLUMNS, map(_cells, table))


def _cells(row: Mapping[str, Any]) -> list[str]:
    sizes = dict.fromkeys(str(n) for n in row["problems"])
    return [
        row["arm"],
        _name(row["method"]),
        _figure(row["mean"], row["interval"]),
        _figure(row["difference"], row["difference_interval"], "+"),
        f"{'/'.join(sizes)} × {row['seeds']}",
    ]


def _name(method: str) -> str:
    return _NAMES.get(method, method)


def _figure(value: float | None, interval: tuple[float, float] | None, sign: str = "") -> str:
    if value is None:
        return ""
    bounds = f" [{100 * interval[0]:{sign}.1f}, {100 * interval[1]:{sign}.1f}]" if interval else ""
    return f"{100 * value:{sign}.1f}{bounds}"


def _slices(table: Sequence[Mapping[str, Any]]) -> str:
    rows = [row for row in table if row["slices"]]
    kinds = sorted({kind for row in rows for kind in row["slices"]})
    cells = ([f"{100 * row['slices'][k]:.1f}" if k in row["slices"] else "" for k in kinds] for row in rows)
    named = ([row["arm"], _name(row["method"]), *of] for row, of in zip(rows, cells, strict=True))
    return _markdown(["arm", "method", *(kind.replace("_", " ") for kind in kinds)], named)


def _had(table: Sequence[Mapping[str, Any]]) -> str:
    columns = ("arm", "samples per problem", "pool (kept solutions)", "annotated solutions", "steps by round")
    rows = (
        [
            row["arm"],
            " + ".join(f"{count} {method}" for method, count in row["samples"].items()) or "none",
            *(_per_seed(f"{value:,}" for value in row[name]) for name in ("pool", "views")),
            _per_seed(" + ".join(map(str, steps)) for steps in row["steps"]),
        ]
        for row in table
    )
    return _markdown(columns, rows)


def _per_seed(values: Iterable[str]) -> str:
    """One value where all seeds have the same, else the values in the order of the seeds."""
    every = list(values)
    return every[0] if len(set(every)) == 1 else "; ".join(every)


def _pairs(table: Sequence[Mapping[str, Any]]) -> str:
    methods = list(dict.fromkeys(row["method"] for row in table))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in table:
        p = "p < 0.0001" if row["p"] < 0.0001 else f"p = {row['p']:.2g}"
        text = f"{row['only_first']} / {row['only_second']}, {p}"
        cells.setdefault((row["first"], row["second"]), {})[row["method"]] = text
    rows = ([*arms, *(of.get(method, "") for method in methods)] for arms, of in cells.items())
    return _markdown(["first", "second", *map(_name, methods)], rows)


def _phi(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = ["arm", "seed", "methods", "phi before", "phi after", "gains"]
    cells = (
        [row["arm"], str(row["seed"]), ", ".join(row["methods"])]
        + ["" if row[key] is None else f"{row[key]:+.2f}" for key in ("before", "after")]
        + [", ".join(f"{100 * gain:+.1f}" for gain in row["gains"])]
        for row in rows
    )
    return _markdown(columns, cells)


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def plot(results: Sequence[Mapping[str, Any]], arms: Sequence[str], target: Path) -> None:
    """Plot every arm's test accuracy by method and for the majority vote: a dot per seed, a line at the mean."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    methods = list(dict.fromkeys(row["method"] for row in results if row["method"] not in ENSEMBLES[1:]))
    size = (3.2 * max(1, len(methods)), 4.2)
    figure, axes = pyplot.subplots(1, max(1, len(methods)), figsize=size, sharey=True, squeeze=False)
    for axis, method in zip(axes[0], methods, strict=False):
        for place, arm in enumerate(arms):
            values = [100 * r["accuracy"] for r in results if r["method"] == method and r["arm"] == arm]
            if values:
                axis.plot([place] * len(values), values, "o", color=f"C{place}", alpha=0.6)
                axis.hlines(statistics.fmean(values), place - 0.3, place + 0.3, color="black")
        axis.set_title(_name(method))
        axis.set_xticks(range(len(arms)), arms, rotation=60, ha="right")
        axis.grid(axis="y", alpha=0.3)
    axes[0][0].set_ylabel("test accuracy, %")
    figure.tight_layout()
    figure.savefig(target, dpi=120)
    pyplot.close(figure)
