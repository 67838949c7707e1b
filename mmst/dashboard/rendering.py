"""HTML from what is known about a run: the templates, and the context that pages and reports share."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from markupsafe import Markup

from mmst.dashboard import rounds
from mmst.dashboard.charts import COLOURS, Chart
from mmst.dashboard.overview import held, now_of
from mmst.dashboard.run import Round, Run
from mmst.dashboard.static_chart import svg
from mmst.progress import duration
from mmst.terminal import Shown, escaped, shown

_LINE, _LINES = 2_000, 400
"""Characters per line, and lines per text, that a page shows without a click on *Show all*."""


def environment(*, interactive: bool = True) -> jinja2.Environment:
    """The templates, which escape every value. Plots are drawn by Plotly if `interactive`, else they are SVG."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    draw = _interactive if interactive else _static
    made.globals.update(link=link, now_of=now_of, held=held, percent=rounds.percent, display=rounds.display, draw=draw)
    made.filters.update(shown=_shown, clean=lambda text: escaped(str(text)), duration=duration, cell=cell, plain=plain)
    made.filters["moment"] = rounds.moment
    made.filters["combine"] = lambda first, **second: first | second
    return made


def link(run: Run, page: str = "", /, **parameters: Any) -> str:
    """The address of a page of a run; empty parameters are left out."""
    query = urlencode({name: value for name, value in parameters.items() if value not in ("", None)})
    return f"/{quote(run.name, safe='')}/{page}" + (f"?{query}" if query else "")


def cell(value: Any) -> str:
    """A value in a table."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else escaped(str(value))


def plain(value: Any) -> str:
    """A JSON value without brackets and quotes: `mmst 0.1.0, torch 2.13.0`."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ("; " if any(isinstance(part, dict | list) for part in value) else " ").join(map(plain, value))
    return cell(value) if isinstance(value, bool) or value is None else str(value)


def _shown(text: str | None, *, whole: bool = False) -> Shown:
    return Shown(escaped(text or ""), 0) if whole else shown(text, _LINE, _LINES)


def _static(chart: Chart) -> Markup:
    return Markup('<div class="canvas" role="img" aria-label="{}">{}</div>').format(chart.title, Markup(svg(chart)))


def _interactive(chart: Chart) -> Markup:
    described = dataclasses.asdict(chart) | {"categories": chart.categories, "colours": COLOURS}
    return Markup('<div class="canvas" data-chart="{}"></div>').format(json.dumps(described))


def round_context(run: Run, round_: Round, warnings: list[str], *, alone: bool = True) -> dict[str, Any]:
    """The context of a round's page or report; `alone` adds the accuracy by round, which a run's report has already."""
    accuracy = [chart for chart in rounds.run_charts(run) if chart.key.startswith("accuracy")][:1] if alone else []
    return {
        "round": round_,
        "warnings": warnings,
        "charts": accuracy + rounds.round_charts(run, round_),
        "accuracy": rounds.accuracy_table(round_),
        "stages": rounds.stages_table(round_),
    }
