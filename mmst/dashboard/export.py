"""Plots, tables, problems and solutions as CSV or Parquet files."""

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
    """Files with what the pages show, filtered by the same addresses."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages

    def comparison(self, request: Request) -> Response:
        """The overview's plot."""
        runs = [look(name, root) for name, root in self.pages.places.items()]
        return self._table_file(request, "comparison", comparison([run for run in runs if not run.trouble]).table)

    def of_run(self, request: Request) -> Response:
        """A table of one run: `what` is solutions, problems, or the key of a plot or table."""
        run, what = self.pages.run_of(request), request.path_params["what"]
        if what == "solutions":
            sql, parameters = self.pages.queries.selection(run, filters_of(request, Filters))
        elif what == "problems":
            sql, parameters = problem_selection(self.pages.queries, run, filters_of(request, ProblemFilters))
        else:
            return self._table_file(request, f"{run.name}-{what}", self._table(run, what, request))
        if not sql:
            raise NotShown("There is nothing to export.")
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
        for chart in charts:
            if chart.key == what:
                return chart.table
        raise NotShown(f"{run.name} has no table “{what}”.")

    def _table_file(self, request: Request, name: str, table: Table) -> Response:
        columns = [list(column) for column in zip(*table.rows, strict=True)] or [[] for _ in table.columns]
        parameters = {f"c{number}": _of_one_type(column) for number, column in enumerate(columns)}
        named = [f'unnest($c{n}) AS "{column.replace(chr(34), "")}"' for n, column in enumerate(table.columns)]
        return self._file(request, name, f"SELECT {', '.join(named)}", parameters)

    def _file(self, request: Request, name: str, sql: str, parameters: Mapping[str, Any]) -> Response:
        """Send a query's result from a temporary file, then delete the file."""
        form: Literal["csv", "parquet"] = "parquet" if request.path_params["form"] == "parquet" else "csv"
        handle, temporary = tempfile.mkstemp(prefix="mmst-export-", suffix=f".{form}")
        os.close(handle)
        path = Path(temporary)
        try:
            self.pages.queries.export(sql, parameters, path, form)
        except BaseException:
            path.unlink()
            raise
        sent = BackgroundTask(path.unlink)
        return FileResponse(path, media_type=_MEDIA[form], filename=f"{name}.{form}", background=sent)


def _of_one_type(values: list[Any]) -> list[Any]:
    """Values of one type, or only numbers, unchanged; others as text."""
    kinds = {type(value) for value in values if value is not None}
    mixed = len(kinds) > 1 and not kinds <= {int, float}
    return [None if value is None else str(value) for value in values] if mixed else values
