"""Charts as SVG for reports, drawn by matplotlib: no scripts, and text that stays text."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from mmst.dashboard.charts import COLOURS, Chart, Series
from mmst.terminal import escaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 40
"""Characters of a name in the legend or on the axis."""
_STYLE: Any = {
    "svg.fonttype": "none",  # text, not outlines: smaller, and readable by screen readers
    "svg.hashsalt": "mmst",  # equal charts give equal bytes
    "text.parse_math": False,  # names may contain dollar signs
    "font.sans-serif": ["DejaVu Sans"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e4e7ea",
}


def svg(chart: Chart) -> str:
    """The chart as an `<svg>` element that scales with its container."""
    import matplotlib as mpl  # takes longer to import than the rest of the dashboard
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 3.4 + 0.2 * (len(chart.series) // 3)), layout="constrained")
        axes = figure.subplots()
        _draw(chart, axes)
        axes.set(xlabel=chart.x_label, ylabel=chart.y_label)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter((lambda v, _: f"{100 * v:g} %") if chart.share else (lambda v, _: f"{v:,g}"))
        if chart.series:
            handles, names = axes.get_legend_handles_labels()[0], [_name(series.name) for series in chart.series]
            columns = max(1, 80 // (max(map(len, names)) + 6))
            figure.legend(handles, names, loc="outside upper left", ncols=columns, frameon=False, fontsize="small")
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = file.getvalue()
    return text[text.index("<svg") :]  # without the XML declaration


def _draw(chart: Chart, axes: Axes) -> None:
    places: list[float] = list(range(len(chart.x))) if chart.categories else [float(place) for place in chart.x]
    below = [0.0] * len(chart.x)
    for number, series in enumerate(chart.series):
        colour, label = COLOURS[number % len(COLOURS)], f"series {number}"
        if chart.kind == "stack":
            heights = [value or 0.0 for value in series.values]
            axes.bar(places, heights, width=0.6, bottom=below, color=colour, label=label)
            below = [start + height for start, height in zip(below, heights, strict=True)]
        else:
            values = [float("nan") if value is None else value for value in series.values]
            style = {"marker": "o", "markersize": 4} if len(places) < 60 else {}
            shift = 0.04 * (number - (len(chart.series) - 1) / 2) if series.low else 0.0  # keeps intervals apart
            shifted = [place + shift for place in places]
            axes.errorbar(shifted, values, yerr=_errors(series), elinewidth=1, color=colour, label=label, **style)  # type: ignore[arg-type]
    if chart.categories:
        every = -(-len(places) // 20) or 1
        axes.set_xticks(places[::every], [_name(str(place)) for place in chart.x[::every]])
        if sum(len(str(place)) for place in chart.x) > 80:
            axes.tick_params(axis="x", labelrotation=30)


def _errors(series: Series) -> tuple[list[float], list[float]] | None:
    """How far the intervals reach below and above the values; None without intervals."""
    if series.low is None or series.high is None:
        return None
    spread = list(zip(series.values, series.low, series.high, strict=True))
    below = [0.0 if v is None or low is None else v - low for v, low, _ in spread]
    return below, [0.0 if v is None or high is None else high - v for v, _, high in spread]


def _name(text: str) -> str:
    text = escaped(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
