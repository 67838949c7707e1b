"""Reports: a round's page, or a whole run's, as one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmst.dashboard.queries import Queries
from mmst.dashboard.rendering import environment, round_context
from mmst.dashboard.rounds import rounds_table, run_charts
from mmst.dashboard.run import Round, Run, look
from mmst.dashboard.warnings import warnings_of
from mmst.errors import InputError
from mmst.files import write_text
from mmst.runs.directory import RoundDirectory
from mmst.runs.status import run_at

REPORT = "report.html"
_STYLE = Path(__file__).parent / "static" / "dashboard.css"


def round_report(round_: RoundDirectory, say: Callable[[str], None] = print) -> Path | None:
    """Write `report.html` of a round, beside its files; returns where.

    A run is worth more than its pages: what goes wrong here is said and the run goes on; then none is returned.
    """
    target = round_.root / REPORT
    try:
        run = _readable(round_.root.parent)
        write_text(target, _rendered(run, [r for r in run.rounds if r.number == round_.number], whole=False))
    except Exception as error:
        say(f"{target}: could not be written ({type(error).__name__}: {error})")
        return None
    return target


def run_report(root: Path, target: Path | None = None) -> Path:
    """Write one file about a whole run, by default `report.html` in it; returns where. Raises InputError for no run."""
    run = _readable(root)
    target = target or root / REPORT
    write_text(target.absolute(), _rendered(run, run.rounds, whole=True))
    return target


def _readable(root: Path) -> Run:
    run_at(root)  # says what is wrong with a directory in fewer words than a page does
    run = look(root.resolve().name, root)
    if run.trouble:
        raise InputError(run.trouble)
    return run


def _rendered(run: Run, shown: list[Round], *, whole: bool) -> str:
    queries = Queries()
    parts = []
    for round_ in shown:
        given = queries.most_given(round_) if "generate" in round_.manifests else None
        parts.append(round_context(run, round_, warnings_of(run, round_, given)))
    charts, table = (run_charts(run), rounds_table(run)) if whole else ([], None)
    style = _STYLE.read_text(encoding="utf-8")
    template = environment(interactive=False).get_template("report.html")
    return template.render(run=run, parts_=parts, charts=charts, table=table, style=style)
