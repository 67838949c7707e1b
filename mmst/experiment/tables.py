"""The results of an experiment for a README, a terminal and the eye."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from mmst.experiment.results import ENSEMBLES


def _cells(row: Mapping[str, Any]) -> list[str]:
    def figure(value: float | None, half: float | None, sign: str = "") -> str:
        spread = "" if half is None else f" ± {100 * half:.1f}"
        return "" if value is None else f"{100 * value:{sign}.1f}{spread}"

    difference = figure(row["difference"], row["difference_half_width"], "+")
    return [row["arm"], row["method"], str(row["seeds"]), figure(row["mean"], row["half_width"]), difference]


_COLUMNS = ("arm", "method", "seeds", "accuracy, %", "against control")


def markdown(table: Sequence[Mapping[str, Any]]) -> str:
    """The tables for a README; ± is a 95 % interval over seeds. The second one has kinds of problems apart."""
    drawn = [_markdown(_COLUMNS, map(_cells, table))]
    if kinds := sorted({kind for row in table for kind in row["slices"]}):
        rows = [row for row in table if row["slices"]]
        cells = (
            [f"{100 * row['slices'][kind]:.1f}" if kind in row["slices"] else "" for kind in kinds] for row in rows
        )
        named = ([row["arm"], row["method"], *of] for row, of in zip(rows, cells, strict=True))
        drawn.append(_markdown(["arm", "method", *(kind.replace("_", " ") for kind in kinds)], named))
    return "\n".join(drawn)


def complement_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """How much two methods solve the same problems (phi), against what each of them gains."""
    columns = ["arm", "seed", "methods", "phi before", "over the solved", "phi after", "gains"]
    cells = (
        [row["arm"], str(row["seed"]), ", ".join(row["methods"])]
        + ["" if row[key] is None else f"{row[key]:+.2f}" for key in ("before", "before_any", "after")]
        + [", ".join(f"{100 * gain:+.1f}" for gain in row["gains"])]
        for row in rows
    )
    return _markdown(columns, cells)


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def rich_table(table: Sequence[Mapping[str, Any]], problems: str) -> Table:
    """The table for a terminal."""
    drawn = Table(*_COLUMNS, title=f"on {problems}: mean over seeds, ± 95 % interval", title_justify="left")
    for row in table:
        drawn.add_row(*_cells(row))
    return drawn


def plot(results: Sequence[Mapping[str, Any]], arms: Sequence[str], target: Path) -> None:
    """Every arm's test accuracy by method, and the vote: a dot per seed, a line at the mean."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    methods = list(dict.fromkeys(row["method"] for row in results if row["method"] not in ENSEMBLES[1:]))
    figure, axes = pyplot.subplots(
        1, max(1, len(methods)), figsize=(3.2 * max(1, len(methods)), 4.2), sharey=True, squeeze=False
    )
    for axis, method in zip(axes[0], methods, strict=False):
        for place, arm in enumerate(arms):
            values = [100 * r["accuracy"] for r in results if r["method"] == method and r["arm"] == arm]
            if values:
                axis.plot([place] * len(values), values, "o", color=f"C{place}", alpha=0.6)
                axis.hlines(statistics.fmean(values), place - 0.3, place + 0.3, color="black")
        axis.set_title(method)
        axis.set_xticks(range(len(arms)), arms, rotation=60, ha="right")
        axis.grid(axis="y", alpha=0.3)
    axes[0][0].set_ylabel("test accuracy, %")
    figure.tight_layout()
    figure.savefig(target, dpi=120)
    pyplot.close(figure)
