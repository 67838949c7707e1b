"""From what is known about a run to HTML: the templates, and what pages and reports have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from markupsafe import Markup

from mmst.dashboard import rounds
from mmst.dashboard.charts import Chart
from mmst.dashboard.overview import held, now_of
from mmst.dashboard.run import Round, Run
from mmst.dashboard.svg import draw
from mmst.progress import duration
from mmst.terminal import Shown, escaped, shown

_LINE, _LINES = 2_000, 400
"""Characters per line, and lines per text, that a page shows without a click on *Show all*."""


def environment(*, interactive: bool = True) -> jinja2.Environment:
    """The templates; everything that they are given is escaped. Plots are SVG, which Plotly draws anew where they are
    `interactive`."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        link=link, now_of=now_of, held=held, percent=rounds.percent, draw=_interactive if interactive else _still
    )
    made.filters.update(shown=_shown, clean=lambda text: escaped(str(text)), duration=duration, cell=cell)
    made.filters["combine"] = lambda first, **second: first | second
    return made


def link(run: Run, page: str = "", /, **parameters: Any) -> str:
    """The address of a page of a run; empty parameters are left out."""
    query = urlencode({name: value for name, value in parameters.items() if value not in ("", None)})
    return f"/{quote(run.name, safe='')}/{page}" + (f"?{query}" if query else "")


def cell(value: Any) -> str:
    """A value in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else escaped(str(value))


def _shown(text: str | None, *, whole: bool = False) -> Shown:
    return Shown(escaped(text or ""), 0) if whole else shown(text, _LINE, _LINES)


def _still(chart: Chart) -> Markup:
    return Markup('<div class="canvas">{}</div>').format(Markup(draw(chart)))


def _interactive(chart: Chart) -> Markup:
    return Markup('<div class="canvas" data-figure="{}">{}</div>').format(json.dumps(chart.plotly), Markup(draw(chart)))


def round_context(run: Run, round_: Round, warnings: list[str]) -> dict[str, Any]:
    """What a round's page and its report show."""
    return {
        "round": round_,
        "warnings": warnings,
        "charts": [c for c in rounds.run_charts(run) if c.key.startswith("accuracy")][:1]
        + rounds.round_charts(run, round_),
        "accuracy": rounds.accuracy_table(round_),
        "stages": rounds.stages_table(round_),
    }
