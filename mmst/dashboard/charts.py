"""Descriptions of plots: drawn by Plotly on a page, by matplotlib in a report, and always shown as a table too."""

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

    @property
    def errors(self) -> tuple[list[float], list[float]] | None:
        """How far the interval reaches below and above each value, 0 for no value; None without intervals."""
        if self.low is None or self.high is None:
            return None
        spread = list(zip(self.values, self.low, self.high, strict=True))
        below = [0.0 if v is None or a is None else v - a for v, a, _ in spread]
        return below, [0.0 if v is None or b is None else b - v for v, _, b in spread]


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

    @property
    def plotly(self) -> dict[str, Any]:
        """Data, layout and configuration for `Plotly.newPlot`."""
        title = {"size": 13}
        x_axis = {"title": {"text": self.x_label, "font": title, "standoff": 8}, "automargin": True}
        y_axis = {"title": {"text": self.y_label, "font": title}, "automargin": True, "rangemode": "tozero"}
        layout = {
            "barmode": "stack",
            "bargap": 0.35,
            "margin": {"l": 56, "r": 12, "t": 8, "b": 8},
            "height": 310 + 14 * len(self.series),  # the legend stands above the plot
            "font": {"family": "system-ui, sans-serif", "size": 13},
            "hovermode": "x unified",
            "xaxis": x_axis | {"type": "category" if self.categories else "-"},
            "yaxis": y_axis | ({"tickformat": ".0%"} if self.share else {"separatethousands": True}),
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
            "showlegend": True,
        }
        data = [self._trace(series, colour_of(number)) for number, series in enumerate(self.series)]
        return {"data": data, "layout": layout, "config": {"displaylogo": False, "responsive": True}}

    def _trace(self, series: Series, colour: str) -> dict[str, Any]:
        # Names may come from models or people: they must not be read as Plotly's own markup.
        trace: dict[str, Any] = {
            "type": "bar" if self.kind == "stack" else "scatter",
            "name": _plain(series.name),
            "x": [_plain(place) for place in self.x],
            "y": list(series.values),
            "marker": {"color": colour},
            "hovertemplate": "%{y:.1%}" if self.share else "%{y:,.4~g}",
        }
        if self.kind == "lines":
            trace |= {"mode": "lines+markers" if len(self.x) < 60 else "lines", "line": {"color": colour}}
        if errors := series.errors:
            below, above = errors
            trace["error_y"] = {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1}
        return trace


def colour_of(number: int) -> str:
    """The colour of the series with this number."""
    return COLOURS[number % len(COLOURS)]


def _plain(text: Any) -> Any:
    """Text with Plotly's markup escaped; numbers unchanged."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") if isinstance(text, str) else text


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
