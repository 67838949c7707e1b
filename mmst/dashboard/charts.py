"""What a plot shows, said once: drawn by Plotly on a page, as SVG in a report, and always there as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

COLOURS = ("#0b6e99", "#c4570f", "#3b7d23", "#7b4fa3", "#a8324a", "#6b6b6b", "#b58900", "#2a9d8f", "#8c564b", "#e377c2")
"""Of series in their order; each has a contrast of at least 3 : 1 on white."""
MOST_POINTS = 400


@dataclass(frozen=True)
class Table:
    """Rows under named columns; cells are str, int, float, bool or none."""

    columns: list[str]
    rows: list[list[Any]]


@dataclass(frozen=True)
class Series:
    """One line, or one layer of stacked bars: a value per place on the x axis, none where there is none."""

    name: str
    values: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None


@dataclass(frozen=True)
class Chart:
    """A labelled plot. `key` names it in links; `share` says that values are shares of one (shown in per cent)."""

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
        """Whether there is anything to see."""
        return any(value is not None for series in self.series for value in series.values)

    @property
    def table(self) -> Table:
        """The same as a table: a row per place on the x axis."""
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
        traces = [self._trace(series, colour_of(number)) for number, series in enumerate(self.series)]
        size = {"size": 13}
        axis: dict[str, Any] = {"rangemode": "tozero", "automargin": True}
        categories = self.kind == "stack" or not all(isinstance(place, float) for place in self.x)
        layout = {
            "barmode": "stack",
            "margin": {"l": 56, "r": 12, "t": 8, "b": 8},
            "height": 310 + 14 * len(self.series),  # the legend stands above and takes its room from the plot
            "font": {"family": "system-ui, sans-serif", "size": 13},
            "hovermode": "x unified",
            "xaxis": {
                "title": {"text": self.x_label, "font": size, "standoff": 8},
                "automargin": True,
                "type": "category" if categories else "-",
            },
            "yaxis": axis
            | {"title": {"text": self.y_label, "font": size}}
            | ({"tickformat": ".0%"} if self.share else {"separatethousands": True}),
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
            "showlegend": True,
        }
        return {"data": traces, "layout": layout, "config": {"displaylogo": False, "responsive": True}}

    def _trace(self, series: Series, colour: str) -> dict[str, Any]:
        # Bars and categories are text: a model's or a person's words must not be read as Plotly's own markup.
        trace: dict[str, Any] = {"x": [plain(place) for place in self.x], "y": list(series.values)}
        trace |= {"name": plain(series.name), "marker": {"color": colour}}
        if self.kind == "stack":
            return trace | {"type": "bar"}
        trace |= {
            "type": "scatter",
            "mode": "lines+markers" if len(self.x) < 60 else "lines",
            "line": {"color": colour},
        }
        if series.low is not None and series.high is not None:
            spread = zip(series.values, series.low, series.high, strict=True)
            pairs = [(0.0, 0.0) if v is None or a is None or b is None else (b - v, v - a) for v, a, b in spread]
            up, down = [list(side) for side in zip(*pairs, strict=True)] if pairs else ([], [])
            trace["error_y"] = {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1}
        return trace


def colour_of(number: int) -> str:
    """The colour of the series with this number."""
    return COLOURS[number % len(COLOURS)]


def plain(text: Any) -> Any:
    """A text without what Plotly takes for markup; numbers as they are."""
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
    """Stacked bars of one mapping per bar; with `share` each bar is divided by its sum."""
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    totals = {x: sum(values.values()) if share else 1 for x, values in columns.items()}
    series = [
        Series(name, [columns[x].get(name, 0) / totals[x] if totals[x] else None for x in columns]) for name in names
    ]
    return Chart(key, title, "stack", x_label, y_label, list(columns), series, share, note)


def thinned(points: Sequence[Any]) -> list[Any]:
    """At most about MOST_POINTS of them, evenly, with the first and the last."""
    step = -(-len(points) // MOST_POINTS) or 1
    kept = list(points[::step])
    return kept if not points or (len(points) - 1) % step == 0 else [*kept, points[-1]]
