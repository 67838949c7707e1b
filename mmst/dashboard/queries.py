"""Questions to a run's Parquet files, answered by DuckDB: parameterised, a page at a time, nothing loaded whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, Field

from mmst.dashboard.files import fate_files, parts_of, solution_files
from mmst.dashboard.run import Round, Run

PAGE = 50

_COLUMNS = (
    "solution_id, problem_id, round, method, sample, role, turn, origin_id, checkpoint, seed, prompt, text, "
    "finish_reason, tokens, status, answer, key, kind"
)
_FATE = "label, label_source, support, kept, reason"


class Filters(BaseModel):
    """What solutions are asked for; an empty field asks for all."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    round: int | None = Field(default=None, ge=0, le=999)
    kind: Literal["", "native", "translated", "evaluation"] = ""
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
    def of_fates(self) -> bool:
        """Whether a fate decides."""
        return bool(self.label or self.kept or self.reason)

    def where(self) -> tuple[str, dict[str, Any]]:
        """The condition in SQL, and its parameters."""
        equal = ("round", "kind", "method", "status")
        conditions = [f"{name} = ${name}" for name in equal if getattr(self, name) not in ("", None)]
        parameters = {name: getattr(self, name) for name in equal if getattr(self, name) not in ("", None)}
        if self.problem:
            conditions.append("problem_id = $problem")
            parameters["problem"] = self.problem
        if self.q:
            conditions.append("(contains(text, $q) OR contains(coalesce(answer, ''), $q))")
            parameters["q"] = self.q
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
    """DuckDB in this process. Every thread asks through a cursor of its own; no network, no files but those named."""

    def __init__(self) -> None:
        threads = min(4, os.cpu_count() or 1)
        settings: dict[str, Any] = {"threads": threads, "memory_limit": "1GB", "autoinstall_known_extensions": False}
        self._duckdb = duckdb.connect(config={**settings, "autoload_known_extensions": False})
        self._most_given: dict[tuple[Any, ...], tuple[str, float, float | None] | None] = {}
        self._duckdb.execute("SET parquet_metadata_cache = true; SET enable_progress_bar = false")

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The result as rows by column name."""
        with self._duckdb.cursor() as cursor:
            cursor.execute(sql, dict(parameters or {}))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def solutions(self, run: Run, filters: Filters) -> tuple[list[dict[str, Any]], bool]:
        """A page of solutions with their fates, and whether there are more.

        First the page is found by its narrow columns, then its rows are fetched: long texts are read of it only.
        """
        files = solution_files(run, filters.round, filters.kind)
        if not any(files.values()):
            return [], False
        where, parameters = filters.where()
        fates = fate_files(run, filters.round)
        source = _solutions(files)
        if filters.of_fates:
            if not fates:
                return [], False
            source = f"({source}) JOIN (SELECT solution_id, {_FATE} FROM {read(fates)}) USING (solution_id)"
        else:
            source = f"({source})"
        start = (filters.page - 1) * PAGE
        page = f"SELECT solution_id, filename FROM {source} WHERE {where} LIMIT {PAGE + 1} OFFSET {start}"
        found = self.rows(page, parameters)
        return self.fetch(run, found[:PAGE]), len(found) > PAGE

    def count(self, run: Run, filters: Filters) -> int:
        """How many solutions there are."""
        sql, parameters = selection(run, filters, "count(*) AS n")
        return int(self.rows(sql, parameters)[0]["n"]) if sql else 0

    def fetch(self, run: Run, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """These solutions (`solution_id` and `filename`) whole and with their fates, in their order."""
        if not found:
            return []
        ids = [row["solution_id"] for row in found]
        wanted = {row["filename"] for row in found}
        files = {kind: [f for f in paths if f in wanted] for kind, paths in solution_files(run, None, "").items()}
        sql = f"SELECT {_COLUMNS} FROM ({_solutions(files)}) WHERE solution_id IN (SELECT unnest($ids))"
        whole = {row["solution_id"]: row for row in self.rows(sql, {"ids": ids})}
        if fates := fate_files(run, None):
            sql = f"SELECT solution_id, {_FATE} FROM {read(fates)} WHERE solution_id IN (SELECT unnest($ids))"
            for fate in self.rows(sql, {"ids": ids}):
                whole[fate["solution_id"]] |= fate
        empty = dict.fromkeys(_FATE.split(", "))
        return [empty | whole[solution_id] for solution_id in ids if solution_id in whole]

    def solution(self, run: Run, solution_id: str) -> dict[str, Any] | None:
        """One solution; none where no file has it."""
        files = solution_files(run, None, "")
        if not any(files.values()):
            return None
        sql = f"SELECT solution_id, filename FROM ({_solutions(files)}) WHERE solution_id = $id LIMIT 1"
        found = self.fetch(run, self.rows(sql, {"id": solution_id}))
        return found[0] if found else None

    def of_problem(self, run: Run, problem_id: str) -> list[dict[str, Any]]:
        """Every solution of one problem, of all rounds."""
        files = solution_files(run, None, "")
        if not any(files.values()):
            return []
        sql = f"SELECT solution_id, filename FROM ({_solutions(files)}) WHERE problem_id = $id LIMIT 2000"
        return self.fetch(run, self.rows(sql, {"id": problem_id}))

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
        if "filter" in round_.manifests and round_.directory.fates.exists():
            sql = "SELECT avg(CASE WHEN label_key = $key THEN 1 ELSE 0 END) AS share FROM"
            sql += f" {read([str(round_.directory.fates)])} WHERE label_key IS NOT NULL"
            labelled = self.rows(sql, {"key": found[0]["key"]})[0]["share"]
        return found[0]["key"], found[0]["share"], labelled

    def export(self, sql: str, parameters: Mapping[str, Any], target: Path, form: Literal["csv", "parquet"]) -> None:
        """Write a result to a file, as it streams."""
        with self._duckdb.cursor() as cursor:
            quoted = str(target).replace("'", "''")
            options = "FORMAT csv, HEADER" if form == "csv" else "FORMAT parquet, COMPRESSION zstd"
            cursor.execute(f"COPY ({sql}) TO '{quoted}' ({options})", dict(parameters))


def selection(run: Run, filters: Filters, columns: str = f"{_COLUMNS}, {_FATE}") -> tuple[str, dict[str, Any]]:
    """SQL for all solutions that the filters ask for, and its parameters; no SQL where there is no file yet."""
    files = solution_files(run, filters.round, filters.kind)
    if not any(files.values()):
        return "", {}
    where, parameters = filters.where()
    source = f"({_solutions(files)})"
    if filters.of_fates or "reason" in columns:
        fates = fate_files(run, filters.round)
        none = "SELECT NULL AS solution_id, NULL AS label, NULL AS label_source, NULL AS support, NULL::BOOLEAN AS kept"
        table = f"SELECT solution_id, {_FATE} FROM {read(fates)}" if fates else f"{none}, NULL AS reason LIMIT 0"
        source += f" LEFT JOIN ({table}) USING (solution_id)"
    return f"SELECT {columns} FROM {source} WHERE {where}", parameters


def read(files: Sequence[str]) -> str:
    """`read_parquet` of files; their names are the run's own, quoted."""
    return f"read_parquet({_quoted(files)}, filename = true)"


def _quoted(files: Sequence[str]) -> str:
    return "[" + ", ".join("'" + file.replace("'", "''") + "'" for file in files) + "]"


def _solutions(files: Mapping[str, Sequence[str]]) -> str:
    parts = [f"SELECT *, '{kind}' AS kind FROM {read(paths)}" for kind, paths in files.items() if paths]
    return " UNION ALL BY NAME ".join(parts)
