"""Descriptions of plots. `dashboard.js` draws them with Plotly, reports with matplotlib; both also show a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

COLOURS = ("#0b6e99", "#c4570f", "#3b7d23", "#7b4fa3", "#a8324a", "#6b6b6b", "#b58900", "#2a9d8f", "#8c564b", "#d0559c")
"""Colours of series, in order; each has a contrast of at least 3 : 1 on white."""
MOST_POINTS = 400


@dataclass(frozen=True)
class Table:
    """Rows under named columns; cells are str, int, float, bool or None."""

    columns: list[str]
    rows: list[list[Any]]


@dataclass(frozen=True)
class Series:
    """A line, or a layer of stacked bars: one value per place on the x axis, None for no value."""

    name: str
    values: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None


@dataclass(frozen=True)
class Chart:
    """A labelled plot. `key` names it in links; `share` marks values that are shares of one, shown in per cent."""

    key: str
    title: str
    kind: Literal["lines", "stack"]
    x_label: str
    y_label: str
    x: Sequence[str | int | float]
    series: Sequence[Series]
    share: bool = False
    note: str = ""

    def __bool__(self) -> bool:
        """Whether the chart has any value."""
        return any(value is not None for series in self.series for value in series.values)

    @property
    def categories(self) -> bool:
        """Whether places on the x axis are names at equal distances; a float is a number on a scale."""
        return self.kind == "stack" or not all(isinstance(place, float) for place in self.x)

    @property
    def table(self) -> Table:
        """The chart as a table: a row per place on the x axis."""
        columns, parts = [self.x_label], []
        for series in self.series:
            columns.append(series.name)
            parts.append(series.values)
            if series.low is not None and series.high is not None:
                columns += [f"{series.name}, from", f"{series.name}, to"]
                parts += [series.low, series.high]
        return Table(columns, [[place, *(part[i] for part in parts)] for i, place in enumerate(self.x)])


def stacked(
    key: str,
    title: str,
    x_label: str,
    y_label: str,
    columns: Mapping[Any, Mapping[str, float]],
    *,
    share: bool = False,
    note: str = "",
) -> Chart:
    """A chart with one stacked bar per mapping; `share` divides each bar by its sum."""
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    totals = {x: sum(values.values()) if share else 1 for x, values in columns.items()}
    series = [
        Series(name, [columns[x].get(name, 0) / totals[x] if totals[x] else None for x in columns]) for name in names
    ]
    return Chart(key, title, "stack", x_label, y_label, list(columns), series, share, note)


def thinned(points: Sequence[Any]) -> list[Any]:
    """About MOST_POINTS points or fewer, evenly spaced, including the first and the last."""
    step = -(-len(points) // MOST_POINTS) or 1
    kept = list(points[::step])
    return kept if not points or (len(points) - 1) % step == 0 else [*kept, points[-1]]
