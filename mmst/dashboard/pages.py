"""The pages: what each one looks up, and the template that shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import jinja2
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mmst.dashboard import problems, rounds
from mmst.dashboard.files import solution_files
from mmst.dashboard.overview import comparison
from mmst.dashboard.problems import Matrix, ProblemFilters
from mmst.dashboard.queries import PAGE, Filters, Queries
from mmst.dashboard.rendering import environment, round_context
from mmst.dashboard.run import Round, Run, look
from mmst.dashboard.warnings import warnings_of
from mmst.records import without_thinking

_UNREADABLE = (duckdb.Error, jinja2.UndefinedError, KeyError, TypeError, ValueError, AttributeError, OSError)
"""Exceptions for files that this version of mmst did not write."""


class NotShown(Exception):
    """A page that cannot be shown, and the message to show instead."""

    def __init__(self, text: str, title: str = "Not found", status: int = 404) -> None:
        super().__init__(text)
        self.title, self.text, self.status = title, text, status


class Pages:
    """The pages of some runs, by the runs' names."""

    def __init__(self, places: Mapping[str, Path], queries: Queries) -> None:
        self.places, self.queries = places, queries
        self._templates = environment()
        self.handlers: dict[Any, Callable[[Request, Exception], Response]] = dict.fromkeys(
            (NotShown, HTTPException, ValidationError, *_UNREADABLE), self._failed
        )

    def prepare(self) -> None:
        """Build the index of all solutions before the first request; errors show up on the pages."""
        with contextlib.suppress(*_UNREADABLE):
            for name, root in self.places.items():
                self.queries.index(solution_files(look(name, root)))

    def run_of(self, request: Request) -> Run:
        """The current state of the run in a request's path. Raises NotShown if it can't be shown."""
        name = request.path_params["run"]
        if name not in self.places:
            raise NotShown(f"There is no run “{name}” here.")
        run = look(name, self.places[name])
        if run.trouble:
            raise NotShown(run.trouble, "Nothing to show", 200)
        return run

    def overview(self, request: Request) -> Response:
        """All runs side by side."""
        runs = [look(name, root) for name, root in self.places.items()]
        return self._show("overview.html", request, runs=runs, chart=comparison([r for r in runs if not r.trouble]))

    def run(self, request: Request) -> Response:
        """One run, round by round."""
        run = self.run_of(request)
        warnings = {r.number: self._warnings(run, r) for r in run.rounds}
        charts, table = rounds.run_charts(run), rounds.rounds_table(run)
        return self._show("run.html", request, run=run, charts=charts, table=table, warnings=warnings)

    def round(self, request: Request) -> Response:
        """One round."""
        run = self.run_of(request)
        round_ = run.round(request.path_params["number"])
        if round_ is None:
            raise NotShown(f"Round {request.path_params['number']} of {run.name} has not begun.")
        return self._show("round.html", request, run=run, **round_context(run, round_, self._warnings(run, round_)))

    def _warnings(self, run: Run, round_: Round) -> list[str]:
        return warnings_of(run, round_, self.queries.most_given(round_))

    def matrix(self, request: Request) -> Response:
        """Which methods solved which problems."""
        run, filters = self.run_of(request), filters_of(request, ProblemFilters, set="test")
        return self._show("matrix.html", request, run=run, filters=filters, matrix=Matrix(self.queries, run, filters))

    def problems(self, request: Request) -> Response:
        """A page of problems."""
        run, filters = self.run_of(request), filters_of(request, ProblemFilters)
        rows, count = problems.problems(self.queries, run, filters)
        context = {"rows": rows, "count": count, "round": problems.round_for(run, filters), "first": _first(filters)}
        return self._show("problems.html", request, run=run, filters=filters, **context)

    def problem(self, request: Request) -> Response:
        """One problem with its solutions, by round and method."""
        run, problem_id = self.run_of(request), request.query_params.get("id", "")
        problem = problems.problem(self.queries, run, problem_id)
        rows = self.queries.of_problem(run, problem_id)
        if problem is None and not rows:
            raise NotShown(f"{run.name} has no problem “{problem_id}”.")
        numbers = sorted({row["round"] for row in rows})
        wanted = [int(n) for n in request.query_params.getlist("round") if n.isdecimal()] or numbers[-2:]
        by_place: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for row in rows:
            by_place.setdefault((row["round"], row["method"]), []).append(row)
        methods = [m for m in run.methods if any(row["method"] == m for row in rows)] or run.methods
        context = {"problem": problem, "problem_id": problem_id, "numbers": numbers, "wanted": wanted}
        return self._show("problem.html", request, run=run, methods=methods, by_place=by_place, **context)

    def solutions(self, request: Request) -> Response:
        """A page of solutions."""
        run, filters = self.run_of(request), filters_of(request, Filters)
        rows, more = self.queries.solutions(run, filters)
        choices = {name: self.queries.values(run, name) for name in ("status", "reason")}
        context = {"rows": rows, "more": more, "choices": choices, "first": _first(filters)}
        count = self.queries.count(run, filters)
        return self._show("solutions.html", request, run=run, filters=filters, count=count, **context)

    def solution(self, request: Request) -> Response:
        """One solution with everything that is known about it."""
        from mmst.methods import METHODS  # takes longer to import than the rest of this module

        run, solution_id = self.run_of(request), request.query_params.get("id", "")
        found = self.queries.fetch(run, [solution_id])
        if not found:
            raise NotShown(f"{run.name} has no solution “{solution_id}”.")
        row = found[0]
        problem = problems.problem(self.queries, run, row["problem_id"])
        whole = request.query_params.get("all") == "1"
        visible = without_thinking(row["text"])
        steps = METHODS[row["method"]].with_values(visible) if row["method"] in METHODS and not whole else ""
        context = {"row": row, "problem": problem, "whole": whole, "steps": steps if steps != row["text"] else ""}
        return self._show("solution.html", request, run=run, **context)

    def _show(self, template: str, request: Request, **context: Any) -> HTMLResponse:
        body = self._templates.get_template(template).render(
            request=request, path=request.url.path, names=list(self.places), **({"run": None} | context)
        )
        return HTMLResponse(body.encode("utf-8", "replace"), headers={"cache-control": "no-store"})

    def _failed(self, request: Request, error: Exception) -> Response:
        """The page for an exception: for what a request got wrong, or for files that cannot be read."""
        if isinstance(error, NotShown):
            title, text, status = error.title, error.text, error.status
        elif isinstance(error, HTTPException):
            title, text, status = "Not found", f"There is no page {request.url.path} here.", error.status_code
        elif isinstance(error, ValidationError):
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            title, text, status = "Invalid filter", wrong, 400
        else:
            title, status = "This run cannot be read", 500
            text = (
                "A file of this run is damaged, was removed, or was written by another version of mmst: "
                f"{type(error).__name__}: {error}"
            )
        page = self._show("message.html", request, title=title, text=text)
        page.status_code = status
        return page


def filters_of(request: Request, kind: type[BaseModel], **default: str) -> Any:
    """The filters in a page's address; an empty form field does not filter."""
    given = {name: value for name, value in request.query_params.items() if value != ""}
    return kind.model_validate(default | given)


def _first(filters: Filters | ProblemFilters) -> int:
    return (filters.page - 1) * PAGE + 1
