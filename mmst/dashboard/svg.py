"""A chart as SVG, for a report that is one file: axes with labels, a legend, and no script."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from mmst.dashboard.charts import Chart, colour_of

_WIDTH, _HEIGHT = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 10, 54
_LETTER = 7.2
"""Width of a letter at the size of labels, about."""


def draw(chart: Chart) -> str:
    """An `<svg>` element that scales with its place."""
    legend = list(_legend(chart))
    height = _HEIGHT + 20 * (legend[-1][1] + 1 if legend else 0)
    scale = _Scale(chart)
    marks = _bars(chart, scale) if chart.kind == "stack" else _lines(chart, scale)
    parts = [*_axes(chart, scale), *marks]
    for text, row, left, number in legend:
        top = _HEIGHT + 20 * row
        parts.append(f'<rect x="{left:.0f}" y="{top}" width="12" height="12" fill="{colour_of(number)}"/>')
        parts.append(f'<text x="{left + 17:.0f}" y="{top + 11}">{escape(text)}</text>')
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(chart.title, quote=True)}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#222">{"".join(parts)}</svg>'
    )


class _Scale:
    """From values to places in the picture."""

    def __init__(self, chart: Chart) -> None:
        if chart.kind == "stack":
            tops = [sum(s.values[i] or 0 for s in chart.series) for i in range(len(chart.x))]
        else:
            tops = [v for s in chart.series for part in (s.values, s.high or ()) for v in part if v is not None]
        self.ticks = ticks(max(tops, default=1.0))
        numbers = [float(x) for x in chart.x if isinstance(x, float)]
        self._numbers = numbers if chart.kind == "lines" and len(numbers) == len(chart.x) and numbers else None
        self._places = max(1, len(chart.x))

    def x(self, index: int) -> float:
        """The middle of a place on the x axis."""
        if self._numbers:
            first, last = self._numbers[0], self._numbers[-1]
            share = (self._numbers[index] - first) / (last - first) if last > first else 0.5
        else:
            share = (index + 0.5) / self._places
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """The height of a value."""
        return _HEIGHT - _BOTTOM - value / self.ticks[-1] * (_HEIGHT - _TOP - _BOTTOM)

    @property
    def width(self) -> float:
        """The width of one bar."""
        return min(80.0, 0.7 * (_WIDTH - _LEFT - _RIGHT) / self._places)


def ticks(top: float) -> list[float]:
    """About five round numbers from 0 to at least `top`."""
    if top <= 0 or not math.isfinite(top):
        top = 1.0
    raw = top / 4
    base = 10.0 ** math.floor(math.log10(raw))
    step = next(base * f for f in (1, 2, 2.5, 5, 10) if base * f >= raw * 0.999)
    return [step * i for i in range(math.ceil(top / step * 0.999) + 1)]


def _axes(chart: Chart, scale: _Scale) -> Iterator[str]:
    for tick in scale.ticks:
        y = scale.y(tick)
        label = f"{100 * tick:g} %" if chart.share else f"{tick:,.6g}"
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    room = (_WIDTH - _LEFT - _RIGHT) / max(1, len(chart.x))
    longest = max((len(str(place)) for place in chart.x), default=1)
    every = max(1, math.ceil(min(longest, 18) * _LETTER / room))
    for index in range(0, len(chart.x), every):
        place = chart.x[index]
        text = f"{place:g}" if isinstance(place, float) else str(place)
        text = text if len(text) <= 18 else text[:17] + "…"
        yield f'<text x="{scale.x(index):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{escape(text)}</text>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - _BOTTOM + 38}" text-anchor="middle">{escape(chart.x_label)}</text>'
    high = (_TOP + _HEIGHT - _BOTTOM) / 2
    turned = f'transform="rotate(-90 14 {high})"'
    yield f'<text x="14" y="{high}" text-anchor="middle" {turned}>{escape(chart.y_label)}</text>'


def _bars(chart: Chart, scale: _Scale) -> Iterator[str]:
    for index in range(len(chart.x)):
        below = 0.0
        for number, series in enumerate(chart.series):
            value = series.values[index] or 0.0
            top, bottom = scale.y(below + value), scale.y(below)
            below += value
            if value:
                title = f"<title>{escape(series.name)}: {_said(chart, value)}</title>"
                yield (
                    f'<rect x="{scale.x(index) - scale.width / 2:.1f}" y="{top:.1f}" width="{scale.width:.1f}" '
                    f'height="{bottom - top:.1f}" fill="{colour_of(number)}">{title}</rect>'
                )


def _lines(chart: Chart, scale: _Scale) -> Iterator[str]:
    for number, series in enumerate(chart.series):
        colour = colour_of(number)
        shift = (number - (len(chart.series) - 1) / 2) * 4 if series.low is not None else 0.0
        points = [(i, scale.x(i) + shift, v) for i, v in enumerate(series.values) if v is not None]
        path = " ".join(f"{x:.1f},{scale.y(v):.1f}" for _, x, v in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for i, x, value in points if len(points) < 60 else []:
            if series.low is not None and series.high is not None:
                low, high = series.low[i], series.high[i]
                if low is not None and high is not None:
                    ends = f'y1="{scale.y(low):.1f}" y2="{scale.y(high):.1f}"'
                    yield f'<line x1="{x:.1f}" x2="{x:.1f}" {ends} stroke="{colour}"/>'
            title = f"<title>{escape(series.name)}: {_said(chart, value)}</title>"
            yield f'<circle cx="{x:.1f}" cy="{scale.y(value):.1f}" r="4" fill="{colour}">{title}</circle>'


def _said(chart: Chart, value: float) -> str:
    return f"{100 * value:.1f} %" if chart.share else f"{value:,.4g}"


def _legend(chart: Chart) -> Iterator[tuple[str, int, float, int]]:
    """(text, row, left edge, number) of every series, in as many rows as they need."""
    row, left = 0, float(_LEFT)
    for number, series in enumerate(chart.series):
        text = series.name if len(series.name) <= 40 else series.name[:39] + "…"
        width = 17 + len(text) * _LETTER + 16
        if left + width > _WIDTH and left > _LEFT:
            row, left = row + 1, float(_LEFT)
        yield text, row, left, number
        left += width
