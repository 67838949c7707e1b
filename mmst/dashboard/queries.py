"""Questions to a run's Parquet files, answered by DuckDB: parameterised, a page at a time, nothing loaded whole."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, Field

from mmst.dashboard.files import KINDS, Written, parts_of, solution_files
from mmst.dashboard.run import Round, Run

PAGE = 50
FILES_AT_ONCE = 32
"""That a search in texts begins with; it goes on with four times as many, and so on."""

_FOUND_BY = "solution_id, problem_id, round, method, status"
_REST = "sample, role, turn, origin_id, checkpoint, seed, prompt, text, finish_reason, tokens, answer, key"
_FATE = "label, label_source, support, kept, reason"
_NO_FATE = "NULL AS label, NULL AS label_source, NULL AS support, NULL::BOOLEAN AS kept, NULL AS reason"


class Filters(BaseModel):
    """What solutions are asked for; an empty field asks for all."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    round: int | None = Field(default=None, ge=0, le=999)
    kind: Literal["", "native", "rationalized", "translated", "evaluation"] = ""
    method: str = ""
    status: str = ""
    label: str = ""
    """Where the label comes from: gold, agreement or none."""
    kept: Literal["", "yes", "no"] = ""
    reason: str = ""
    """What the reason begins with."""
    problem: str = ""
    q: str = ""
    """A text in the solution or its answer."""
    page: int = Field(default=1, ge=1)

    @property
    def text(self) -> str:
        """The condition in SQL on a solution's text and answer, with the parameter `q`; empty where there is none."""
        return "(contains(text, $q) OR contains(coalesce(answer, ''), $q))" if self.q else ""

    def where(self) -> tuple[str, dict[str, Any]]:
        """The condition in SQL on everything but texts, and its parameters."""
        equal = ("round", "kind", "method", "status")
        conditions = [f"{name} = ${name}" for name in equal if getattr(self, name) not in ("", None)]
        parameters = {name: getattr(self, name) for name in equal if getattr(self, name) not in ("", None)}
        if self.problem:
            conditions.append("problem_id = $problem")
            parameters["problem"] = self.problem
        if self.label:
            unlabelled = self.label == "none"
            conditions.append("label_source IS NULL AND kept IS NOT NULL" if unlabelled else "label_source = $label")
            parameters |= {} if unlabelled else {"label": self.label}
        if self.kept:
            conditions.append("kept" if self.kept == "yes" else "NOT kept")
        if self.reason:
            conditions.append("starts_with(reason, $reason)")
            parameters["reason"] = self.reason
        return " AND ".join(conditions) or "true", parameters


class Queries:
    """DuckDB in this process. Every thread asks through a cursor of its own; no network, no files but those named.

    What pages are found by (ids, methods, verdicts, decisions; of 800,000 solutions 12 MB) is kept, compressed, for as long
    as the files that it comes from stay what they are. Texts stay in the files: those of a page's rows are fetched.
    """

    def __init__(self) -> None:
        threads = min(4, os.cpu_count() or 1)
        settings: dict[str, Any] = {"threads": threads, "memory_limit": "1GB", "autoinstall_known_extensions": False}
        settings["temp_directory"] = str(Path(tempfile.gettempdir()) / f"mmst-dashboard-{os.getpid()}")
        self._duckdb = duckdb.connect(config={**settings, "autoload_known_extensions": False})
        self._duckdb.execute("SET parquet_metadata_cache = true; SET enable_progress_bar = false")
        self._duckdb.execute("ATTACH ':memory:' AS kept (COMPRESS)")
        self._kept: dict[str, Any] = {}
        self._filter = self._duckdb.cursor()
        self._keeping = threading.Lock()
        self._most_given: dict[tuple[Any, ...], tuple[str, float, float | None] | None] = {}

    def kept(self, name: str, state: Any, sql: str, parameters: Mapping[str, Any] | None = None) -> str:
        """The table of that name with a query's result, made anew when the `state` of its sources has changed."""
        table = 'kept."' + name.replace('"', "") + '"'
        with self._keeping:
            if self._kept.get(name) != state:
                self._filter.execute(f"CREATE OR REPLACE TABLE {table} AS {sql}", dict(parameters or {}))
                self._filter.execute("CHECKPOINT kept")  # this is what compresses
                self._kept[name] = state
        return table

    def close(self) -> None:
        """Break off what is being kept just now, so that nobody waits for it."""
        self._filter.interrupt()

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The result as rows by column name."""
        with self._duckdb.cursor() as cursor:
            cursor.execute(sql, dict(parameters or {}))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def solutions(self, run: Run, filters: Filters) -> tuple[list[dict[str, Any]], bool]:
        """A page of solutions with their decisions, and whether there are more."""
        written = list(solution_files(run, filters.round, filters.kind))
        if not written:
            return [], False
        start = (filters.page - 1) * PAGE
        if filters.q:
            found = self._with_text(written, filters, start + PAGE + 1)[start:]
        else:
            where, parameters = filters.where()
            sql = f"SELECT solution_id FROM ({self.source(written)}) WHERE {where} LIMIT {PAGE + 1} OFFSET {start}"
            found = [row["solution_id"] for row in self.rows(sql, parameters)]
        return self.fetch(run, found[:PAGE]), len(found) > PAGE

    def _with_text(self, written: Sequence[Written], filters: Filters, enough: int) -> list[str]:
        """Ids of the first solutions that have a text: files are read, more and more at a time, until it is enough."""
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
                    condition += f" AND solution_id IN (SELECT solution_id FROM ({self.source([each])})"
                    condition += f" WHERE {where} AND {place})"
                sql = f"SELECT solution_id FROM {read(files)} WHERE {condition} LIMIT {enough - len(found)}"
                found += [row["solution_id"] for row in self.rows(sql, parameters)]
                start, step = start + step, 4 * step
        return found

    def count(self, run: Run, filters: Filters) -> int | None:
        """How many solutions there are; none for those with a text: every text would have to be read."""
        written = list(solution_files(run, filters.round, filters.kind))
        if filters.q or not written:
            return None if filters.q else 0
        where, parameters = filters.where()
        return int(self.rows(f"SELECT count(*) AS n FROM ({self.source(written)}) WHERE {where}", parameters)[0]["n"])

    def fetch(self, run: Run, ids: Sequence[str]) -> list[dict[str, Any]]:
        """These solutions whole and with their decisions, in their order; those that no file has are left out."""
        written = list(solution_files(run))
        if not written or not ids:
            return []
        wanted = "WHERE solution_id IN (SELECT unnest($ids))"
        rows = self.rows(f"SELECT * FROM ({self.source(written)}) {wanted}", {"ids": ids})
        found = {row["solution_id"]: row for row in rows}
        if files := sorted({row.pop("filename") for row in rows}):
            for row in self.rows(f"SELECT solution_id, {_REST} FROM {read(files)} {wanted}", {"ids": ids}):
                found[row["solution_id"]] |= row
        return [found[solution_id] for solution_id in ids if solution_id in found]

    def of_problem(self, run: Run, problem_id: str) -> list[dict[str, Any]]:
        """Every solution of one problem, of all rounds."""
        written = list(solution_files(run))
        if not written:
            return []
        sql = f"SELECT solution_id FROM ({self.source(written)}) WHERE problem_id = $id LIMIT 2000"
        return self.fetch(run, [row["solution_id"] for row in self.rows(sql, {"id": problem_id})])

    def selection(self, run: Run, filters: Filters) -> tuple[str, dict[str, Any]]:
        """SQL for all solutions that the filters ask for, whole, and its parameters; no SQL without files."""
        written = list(solution_files(run, filters.round, filters.kind))
        if not written:
            return "", {}
        where, parameters = filters.where()
        found = f"SELECT * EXCLUDE (filename) FROM ({self.source(written)}) WHERE {where}"
        sql = f"SELECT * FROM ({found}) JOIN (SELECT solution_id, {_REST} FROM {_texts(written)}) USING (solution_id)"
        return (f"{sql} WHERE {filters.text}", parameters | {"q": filters.q}) if filters.q else (sql, parameters)

    def source(self, written: Sequence[Written]) -> str:
        """SQL for what solutions are found by: what is kept of stages that are done, else what their files say."""
        return " UNION ALL BY NAME ".join(f"SELECT * FROM {self._found_by(each)}" for each in written)

    def _found_by(self, written: Written) -> str:
        decision, joined = _NO_FATE, ""
        if written.decisions is not None:
            decisions = f"SELECT solution_id, {_FATE} FROM {read([written.decisions])}"
            decision, joined = _FATE, f" LEFT JOIN ({decisions}) USING (solution_id)"
        rows = f"{_FOUND_BY}, '{written.kind}' AS kind, filename, {decision} FROM {read(written.files)}{joined}"
        if not written.done:
            return f"(SELECT {rows})"
        round_ = written.round
        state = (round_.manifests[KINDS[written.kind]].get("finished"), written.decisions)
        return self.kept(
            f"{round_.directory.root} {written.kind}", state, f"SELECT {rows} ORDER BY filename, file_row_number"
        )

    def values(self, run: Run, column: Literal["status", "reason"]) -> list[str]:
        """What a filter can be set to, from the figures of the run's manifests."""
        found: dict[str, None] = {}
        for round_ in run.rounds:
            statuses = (round_.figures("generate").get("statuses") or {}).values()
            reasons = [round_.figures(stage).get("reasons") or {} for stage in ("filter", "translate")]
            found |= dict.fromkeys(name for part in (statuses if column == "status" else reasons) for name in part)
        return sorted(found)

    def most_given(self, round_: Round) -> tuple[str, float, float | None] | None:
        """The answer that a round's native solutions give most often, its share, and its share of the labels.

        A page that is open asks again and again, of stages that are done: the answer is kept.
        """
        done = tuple(str(round_.manifests.get(stage, {}).get("finished")) for stage in ("generate", "filter"))
        place = (round_.directory.root, *done)
        if place not in self._most_given:
            self._most_given[place] = self._ask_most_given(round_)
        return self._most_given[place]

    def _ask_most_given(self, round_: Round) -> tuple[str, float, float | None] | None:
        files = parts_of(round_, "generate")
        if not files:
            return None
        sql = f"""
            SELECT key, count(*) / sum(count(*)) OVER () AS share FROM {read(files)}
            WHERE status = 'ok' AND key IS NOT NULL GROUP BY key ORDER BY share DESC, key LIMIT 1"""
        found = self.rows(sql)
        if not found:
            return None
        labelled = None
        if "filter" in round_.manifests and round_.directory.decisions.exists():
            sql = "SELECT avg(CASE WHEN label_key = $key THEN 1 ELSE 0 END) AS share FROM"
            sql += f" {read([str(round_.directory.decisions)])} WHERE label_key IS NOT NULL"
            labelled = self.rows(sql, {"key": found[0]["key"]})[0]["share"]
        return found[0]["key"], found[0]["share"], labelled

    def export(self, sql: str, parameters: Mapping[str, Any], target: Path, form: Literal["csv", "parquet"]) -> None:
        """Write a result to a file, as it streams."""
        with self._duckdb.cursor() as cursor:
            quoted = str(target).replace("'", "''")
            options = "FORMAT csv, HEADER" if form == "csv" else "FORMAT parquet, COMPRESSION zstd"
            cursor.execute(f"COPY ({sql}) TO '{quoted}' ({options})", dict(parameters))


def read(files: Sequence[str]) -> str:
    """`read_parquet` of files."""
    return f"read_parquet([{', '.join(map(_quoted, files))}], filename = true, file_row_number = true)"


def _quoted(file: str) -> str:
    return "'" + file.replace("'", "''") + "'"


def _texts(written: Sequence[Written]) -> str:
    return read([file for each in written for file in each.files])
