"""DuckDB queries on a run's Parquet files: parameterised, paged, never loading a file as a whole."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, Field

from mmst.dashboard.files import KINDS, Written, parts_of, solution_files
from mmst.dashboard.run import Round, Run
from mmst.runs.stages import KEEPING

PAGE = 50
FILES_AT_ONCE = 32
"""Files that a text search reads first; then four times as many, and so on."""

_INDEXED = "solution_id, problem_id, round, method, status"
_REST = "sample, role, turn, origin_id, checkpoint, seed, prompt, text, finish_reason, tokens, answer, key"
_DECISION = "label, label_source, support, kept, reason"
_NO_DECISION = "NULL AS label, NULL AS label_source, NULL AS support, NULL::BOOLEAN AS kept, NULL AS reason"
_EMPTY = (
    "SELECT '' AS solution_id, '' AS problem_id, 0 AS round, '' AS method, '' AS status, '' AS kind, '' AS filename, "
    f"{_NO_DECISION} WHERE false"
)
_CONDITIONS = {
    "round": "round = $round",
    "kind": "kind = $kind",
    "method": "method = $method",
    "status": "status = $status",
    "label": "kept IS NOT NULL AND coalesce(label_source, 'none') = $label",
    "kept": "kept = ($kept = 'yes')",
    "reason": "starts_with(reason, $reason)",
    "problem": "problem_id = $problem",
}


class Filters(BaseModel):
    """Which solutions a page lists; an empty field does not filter."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    round: int | None = Field(default=None, ge=0, le=999)
    kind: Literal["", "native", "rationalized", "translated", "evaluation"] = ""
    method: str = ""
    status: str = ""
    label: str = ""
    """Source of the label: gold, agreement or none."""
    kept: Literal["", "yes", "no"] = ""
    reason: str = ""
    """A prefix of the reason."""
    problem: str = ""
    q: str = ""
    """Text that the solution or its answer contains."""
    page: int = Field(default=1, ge=1, le=10**9)

    @property
    def text(self) -> str:
        """The SQL condition on text and answer, with parameter `q`; empty without `q`."""
        return "(contains(text, $q) OR contains(coalesce(answer, ''), $q))" if self.q else ""

    def where(self) -> tuple[str, dict[str, Any]]:
        """The SQL condition on all other fields, and its parameters."""
        parameters = {name: value for name in _CONDITIONS if (value := getattr(self, name)) not in ("", None)}
        return " AND ".join(_CONDITIONS[name] for name in parameters) or "true", parameters


class Queries:
    """DuckDB in this process; each thread uses its own cursor. No network access.

    An index of all solutions (ids, methods, verdicts, decisions; 12 MB for 800,000 solutions) is cached as compressed
    tables until its files change. Texts stay in the files; only those of a page's rows are read.
    """

    def __init__(self) -> None:
        settings: dict[str, Any] = {
            "threads": min(4, os.cpu_count() or 1),
            "memory_limit": "1GB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": str(Path(tempfile.gettempdir()) / f"mmst-dashboard-{os.getpid()}"),
        }
        self._duckdb = duckdb.connect(config=settings)
        self._duckdb.execute("SET parquet_metadata_cache = true; SET enable_progress_bar = false")
        self._duckdb.execute("ATTACH ':memory:' AS cache (COMPRESS)")
        self._states: dict[str, Any] = {}
        self._writer = self._duckdb.cursor()
        self._writing = threading.Lock()

    def cached(self, name: str, state: Any, sql: str, parameters: Mapping[str, Any] | None = None) -> str:
        """The table with a query's result; the query runs again when the `state` of its sources changes."""
        table = 'cache."' + name.replace('"', "") + '"'
        with self._writing:
            if self._states.get(name) != state:
                self._writer.execute(f"CREATE OR REPLACE TABLE {table} AS {sql}", dict(parameters or {}))
                self._writer.execute("CHECKPOINT cache")  # compresses the table
                self._states[name] = state
        return table

    def close(self) -> None:
        """Interrupt a query that fills the cache."""
        self._writer.interrupt()

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The result as rows by column name."""
        with self._duckdb.cursor() as cursor:
            cursor.execute(sql, dict(parameters or {}))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def solutions(self, run: Run, filters: Filters) -> tuple[list[dict[str, Any]], bool]:
        """A page of solutions with their decisions, and whether there are more."""
        written = list(solution_files(run, filters.round, filters.kind))
        start = (filters.page - 1) * PAGE
        if filters.q:
            found = self._with_text(written, filters, start + PAGE + 1)[start:]
        else:
            where, parameters = filters.where()
            sql = f"SELECT solution_id FROM ({self.index(written)}) WHERE {where} LIMIT {PAGE + 1} OFFSET {start}"
            found = [row["solution_id"] for row in self.rows(sql, parameters)]
        return self.fetch(run, found[:PAGE]), len(found) > PAGE

    def _with_text(self, written: Sequence[Written], filters: Filters, enough: int) -> list[str]:
        """Ids of the first `enough` solutions with a text. More and more files are read at a time, since a single query
        with a LIMIT would filter the whole index first."""
        where, parameters = filters.where()
        parameters["q"] = filters.q
        found: list[str] = []
        for each in written:
            start, step = 0, FILES_AT_ONCE
            while start < len(each.files) and len(found) < enough:
                files = each.files[start : start + step]
                condition = filters.text
                if where != "true":
                    place = f"filename BETWEEN {_quoted(files[0])} AND {_quoted(files[-1])}"
                    condition += f" AND solution_id IN (SELECT solution_id FROM ({self.index([each])})"
                    condition += f" WHERE {where} AND {place})"
                sql = f"SELECT solution_id FROM {read(files)} WHERE {condition} LIMIT {enough - len(found)}"
                found += [row["solution_id"] for row in self.rows(sql, parameters)]
                start, step = start + step, 4 * step
        return found

    def count(self, run: Run, filters: Filters) -> int | None:
        """The number of solutions; None for a text search, which would have to read every text."""
        if filters.q:
            return None
        index = self.index(solution_files(run, filters.round, filters.kind))
        where, parameters = filters.where()
        return int(self.rows(f"SELECT count(*) AS n FROM ({index}) WHERE {where}", parameters)[0]["n"])

    def fetch(self, run: Run, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Complete solutions with their decisions, in the order of `ids`; unknown ids are left out."""
        if not ids:
            return []
        wanted = "WHERE solution_id IN (SELECT unnest($ids))"
        rows = self.rows(f"SELECT * FROM ({self.index(solution_files(run))}) {wanted}", {"ids": ids})
        found = {row["solution_id"]: row for row in rows}
        if files := sorted({row.pop("filename") for row in rows}):
            for row in self.rows(f"SELECT solution_id, {_REST} FROM {read(files)} {wanted}", {"ids": ids}):
                found[row["solution_id"]] |= row
        return [found[solution_id] for solution_id in ids if solution_id in found]

    def of_problem(self, run: Run, problem_id: str) -> list[dict[str, Any]]:
        """The solutions of one problem in all rounds."""
        sql = f"SELECT solution_id FROM ({self.index(solution_files(run))}) WHERE problem_id = $id LIMIT 2000"
        return self.fetch(run, [row["solution_id"] for row in self.rows(sql, {"id": problem_id})])

    def selection(self, run: Run, filters: Filters) -> tuple[str, dict[str, Any]]:
        """SQL for all complete solutions that match, and its parameters; empty SQL without files."""
        written = list(solution_files(run, filters.round, filters.kind))
        if not written:
            return "", {}
        where, parameters = filters.where()
        found = f"SELECT * EXCLUDE (filename) FROM ({self.index(written)}) WHERE {where}"
        texts = read([file for each in written for file in each.files])
        sql = f"SELECT * FROM ({found}) JOIN (SELECT solution_id, {_REST} FROM {texts}) USING (solution_id)"
        return (f"{sql} WHERE {filters.text}", parameters | {"q": filters.q}) if filters.q else (sql, parameters)

    def index(self, written: Iterable[Written]) -> str:
        """SQL for the index of solutions: cached for finished stages, else read from the files."""
        return " UNION ALL BY NAME ".join(f"SELECT * FROM {self._indexed(each)}" for each in written) or _EMPTY

    def _indexed(self, written: Written) -> str:
        decision, joined = _NO_DECISION, ""
        if written.decisions is not None:
            decisions = f"SELECT solution_id, {_DECISION} FROM {read([written.decisions])}"
            decision, joined = _DECISION, f" LEFT JOIN ({decisions}) USING (solution_id)"
        sql = f"SELECT {_INDEXED}, '{written.kind}' AS kind, filename, {decision} FROM {read(written.files)}{joined}"
        if not written.done:
            return f"({sql})"
        finished = written.round.manifests[KINDS[written.kind][0]].get("finished")
        name = f"{written.round.directory.root} {written.kind}"
        return self.cached(name, (finished, written.decisions), f"{sql} ORDER BY filename, file_row_number")

    def values(self, run: Run, column: Literal["status", "reason"]) -> list[str]:
        """The values of a filter, from the figures of the run's manifests."""
        found: dict[str, None] = {}
        for round_ in run.rounds:
            statuses = (round_.figures("generate").get("statuses") or {}).values()
            reasons = [round_.figures(stage).get("reasons") or {} for stage in KEEPING]
            found |= dict.fromkeys(name for part in (statuses if column == "status" else reasons) for name in part)
        return sorted(found)

    def most_given(self, round_: Round) -> tuple[str, float, float | None] | None:
        """The most frequent answer of a round's native solutions, its share of all answers, its share of all labels
        (None without labels); None without answers."""
        files = parts_of(round_, "generate") if "generate" in round_.manifests else []
        if not files:
            return None
        finished = [round_.manifests.get(stage, {}).get("finished") for stage in ("generate", "filter")]
        decisions = round_.directory.decisions
        labels = "NULL"
        if finished[1] and decisions.exists():
            labels = f"""(SELECT avg((label_key = answers.key)::INT) FROM {read([str(decisions)])}
                WHERE label_key IS NOT NULL)"""
        sql = f"""
            WITH answers AS (
                SELECT key, count(*) / sum(count(*)) OVER () AS share FROM {read(files)}
                WHERE status = 'ok' AND key IS NOT NULL GROUP BY key ORDER BY share DESC, key LIMIT 1)
            SELECT key, share, {labels} AS labelled FROM answers"""
        found = self.rows(f"SELECT * FROM {self.cached(f'{round_.directory.root} most given', finished, sql)}")
        return (found[0]["key"], found[0]["share"], found[0]["labelled"]) if found else None

    def export(self, sql: str, parameters: Mapping[str, Any], target: Path, form: Literal["csv", "parquet"]) -> None:
        """Stream a result into a file."""
        with self._duckdb.cursor() as cursor:
            options = "FORMAT parquet, COMPRESSION zstd"
            if form == "csv":
                options = "FORMAT csv, HEADER"
                cursor.execute(f"DESCRIBE {sql}", dict(parameters))
                texts = [_named(name) for name, kind, *_ in cursor.fetchall() if kind == "VARCHAR"]
                if texts:
                    harmless = ", ".join(f"{_HARMLESS.format(name)} AS {name}" for name in texts)
                    sql = f"SELECT * REPLACE ({harmless}) FROM ({sql})"
            cursor.execute(f"COPY ({sql}) TO {_quoted(str(target))} ({options})", dict(parameters))


def read(files: Sequence[str]) -> str:
    """SQL that reads Parquet files."""
    return f"read_parquet([{', '.join(map(_quoted, files))}], filename = true, file_row_number = true)"


_HARMLESS = r"regexp_replace({0}, '^([=+@\t\r]|-[^0-9.])', '''\1')"
"""A text in a CSV file: a spreadsheet would run one that begins like a formula, so it gets an apostrophe."""


def _named(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _quoted(file: str) -> str:
    return "'" + file.replace("'", "''") + "'"
