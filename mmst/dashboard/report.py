"""Reports: one round's page, or a whole run's, as one self-contained file."""

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
from mmst.foreign import sound
from mmst.runs.directory import RoundDirectory
from mmst.runs.status import run_at

REPORT = "report.html"
_STYLE = Path(__file__).parent / "static" / "dashboard.css"


def round_report(round_: RoundDirectory, say: Callable[[str], None] = print) -> Path | None:
    """Write `report.html` into a round's directory and return its path.

    A report must not end a run: errors are passed to `say`, and the result is None.
    """
    target = round_.root / REPORT
    try:
        run = _readable(round_.root.parent)
        write_text(target, _rendered(run, [r for r in run.rounds if r.number == round_.number], whole=False))
    except Exception as error:
        say(f"{target}: cannot be written ({type(error).__name__}: {error})")
        return None
    return target


def run_report(root: Path, target: Path | None = None) -> Path:
    """Write one file about a whole run, by default `report.html` inside it; returns its path.

    Raises InputError if there is no readable run.
    """
    run = _readable(root)
    target = target.resolve() if target else root / REPORT  # a link that the user gives is followed
    with sound(root):
        page = _rendered(run, run.rounds, whole=True)
    write_text(target.absolute(), page)
    return target


def _readable(root: Path) -> Run:
    run_at(root)  # its messages are shorter than those of a page
    run = look(root.resolve().name, root)
    if run.trouble:
        raise InputError(run.trouble)
    return run


def _rendered(run: Run, shown: list[Round], *, whole: bool) -> str:
    queries = Queries()
    parts = [round_context(run, r, warnings_of(run, r, queries.most_given(r)), alone=not whole) for r in shown]
    charts, table = (run_charts(run), rounds_table(run)) if whole else ([], None)
    template = environment(interactive=False).get_template("report.html")
    return template.render(run=run, parts_=parts, charts=charts, table=table, style=_STYLE.read_text(encoding="utf-8"))
