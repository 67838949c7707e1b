"""What a page shows, as a file: plots and tables, problems and solutions, as CSV or Parquet."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from mmst.dashboard import rounds
from mmst.dashboard.charts import Table
from mmst.dashboard.overview import comparison
from mmst.dashboard.pages import NotShown, Pages, filters_of
from mmst.dashboard.problems import Matrix, ProblemFilters, problem_selection
from mmst.dashboard.queries import Filters
from mmst.dashboard.run import Run, look

_MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


class Export:
    """Files of what pages show, with the same filters in their addresses."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages

    def comparison(self, request: Request) -> Response:
        """The overview's plot."""
        runs = [look(name, root) for name, root in self.pages.places.items()]
        return self._table_file(request, "comparison", comparison([run for run in runs if not run.trouble]).table)

    def of_run(self, request: Request) -> Response:
        """A table of one run: `what` is solutions, problems, or the key of a plot or table."""
        run, what = self.pages.run_of(request), request.path_params["what"]
        if what not in ("solutions", "problems"):
            return self._table_file(request, f"{run.name}-{what}", self._table(run, what, request))
        if what == "solutions":
            sql, parameters = self.pages.queries.selection(run, filters_of(request, Filters))
        else:
            sql, parameters = problem_selection(self.pages.queries, run, filters_of(request, ProblemFilters))
        if not sql:
            raise NotShown("There is nothing to export yet.")
        return self._file(request, f"{run.name}-{what}", sql, parameters)

    def _table(self, run: Run, what: str, request: Request) -> Table:
        if what == "rounds":
            return rounds.rounds_table(run)
        if what in ("solved", "phi"):
            matrix = Matrix(self.pages.queries, run, filters_of(request, ProblemFilters, set="test"))
            return matrix.phis if what == "phi" else matrix.chart.table
        charts = rounds.run_charts(run)
        number = request.query_params.get("round", "")
        if number.isdecimal() and (round_ := run.round(int(number))):
            charts += rounds.round_charts(run, round_)
        found = next((chart.table for chart in charts if chart.key == what), None)
        if found is None:
            raise NotShown(f"{run.name} has no table “{what}”.")
        return found

    def _table_file(self, request: Request, name: str, table: Table) -> Response:
        columns = [list(column) for column in zip(*table.rows, strict=True)] or [[] for _ in table.columns]
        parameters = {f"c{number}": _alike(column) for number, column in enumerate(columns)}
        named = [f'unnest($c{n}) AS "{column.replace(chr(34), "")}"' for n, column in enumerate(table.columns)]
        return self._file(request, name, f"SELECT {', '.join(named)}", parameters)

    def _file(self, request: Request, name: str, sql: str, parameters: Mapping[str, Any]) -> Response:
        """A result as a file, sent and then deleted."""
        form: Literal["csv", "parquet"] = "parquet" if request.path_params["form"] == "parquet" else "csv"
        handle, made = tempfile.mkstemp(prefix="mmst-export-", suffix=f".{form}")
        os.close(handle)
        path = Path(made)
        try:
            self.pages.queries.export(sql, parameters, path, form)
        except BaseException:
            path.unlink()
            raise
        sent = BackgroundTask(path.unlink)
        return FileResponse(path, media_type=_MEDIA[form], filename=f"{name}.{form}", background=sent)


def _alike(values: list[Any]) -> list[Any]:
    """Numbers as numbers; what is mixed as text."""
    kinds = {type(value) for value in values if value is not None}
    return values if kinds <= {int, float} else [None if value is None else str(value) for value in values]
