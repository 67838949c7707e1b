"""Problems of a run and which methods solved them, asked of the same files by the same DuckDB."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from mmst.dashboard.charts import Chart, Table, stacked
from mmst.dashboard.files import parts_of, problem_file
from mmst.dashboard.queries import PAGE, Queries, read
from mmst.dashboard.rounds import RIGHT
from mmst.dashboard.run import Round, Run
from mmst.evaluation.statistics import phi

Set = Literal["train", "dev", "test", "annotated"]
SETS: tuple[Set, ...] = get_args(Set)
NOBODY = "no method"
DIFFICULTY = "coalesce(meta ->> 'steps', meta ->> 'level', meta ->> 'difficulty')"
"""Where in a problem's `meta` its difficulty may stand; the first that is there."""
_FIELDS = "{id: 'VARCHAR', question: 'VARCHAR', answer: 'VARCHAR', views: 'JSON', meta: 'JSON'}"


class ProblemFilters(BaseModel):
    """What problems are asked for; an empty field asks for all."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    set: Set = "train"
    round: int | None = Field(default=None, ge=0, le=999)
    solved: str = ""
    """A pattern of the matrix: `cot+pot`, `pot`, `no method`."""
    difficulty: str = ""
    q: str = ""
    """A text in the question, the id or the answer."""
    page: int = Field(default=1, ge=1)


def round_for(run: Run, filters: ProblemFilters) -> Round | None:
    """The round that is asked for, else the last one that says which methods solved these problems."""
    stage = "filter" if filters.set == "train" else "evaluate"
    able = [r for r in run.rounds if stage in r.manifests]
    if filters.round is not None:
        return next((r for r in able if r.number == filters.round), None)
    return able[-1] if able else None


def problem(queries: Queries, run: Run, problem_id: str) -> dict[str, Any] | None:
    """One problem with its set; none where no set has it."""
    for name in SETS:
        file, known = problem_file(run, name), _known(queries, run, name)
        if file and queries.rows(f"SELECT id FROM {known} WHERE id = $id", {"id": problem_id}):
            rows = queries.rows(f"SELECT * FROM {_json(file)} WHERE id = $id LIMIT 1", {"id": problem_id})
            return rows[0] | {"set": name, **{part: json.loads(rows[0][part] or "{}") for part in ("views", "meta")}}
    return None


def problems(queries: Queries, run: Run, filters: ProblemFilters) -> tuple[list[dict[str, Any]], int]:
    """A page of problems with the methods that solved each in the round, and how many there are."""
    sql, parameters = problem_selection(queries, run, filters)
    if not sql:
        return [], 0
    start = (filters.page - 1) * PAGE
    rows = queries.rows(f"{sql} LIMIT {PAGE} OFFSET {start}", parameters)
    count = queries.rows(f"SELECT count(*) AS n FROM ({sql})", parameters)[0]["n"]
    solved = {}
    if rows and (table := _solved(queries, run, filters)):
        wanted = f"SELECT * FROM {table} WHERE problem_id IN (SELECT unnest($ids))"
        found = queries.rows(wanted, {"ids": [row["id"] for row in rows]})
        solved = {row["problem_id"]: row["solved"] for row in found}
    return [row | {"solved": solved.get(row["id"])} for row in rows], count


def problem_selection(queries: Queries, run: Run, filters: ProblemFilters) -> tuple[str, dict[str, Any]]:
    """SQL for all problems that the filters ask for, and its parameters; no SQL where there are none."""
    known = _known(queries, run, filters.set)
    conditions, parameters = ["true"], {}
    if filters.q:
        conditions.append("(contains(question, $q) OR contains(id, $q) OR answer = $q)")
        parameters["q"] = filters.q
    if filters.difficulty:
        conditions.append("difficulty = $difficulty")
        parameters["difficulty"] = filters.difficulty
    if filters.solved:
        solved = _solved(queries, run, filters)
        conditions.append(f"id IN (SELECT problem_id FROM {solved} WHERE solved = $solved)" if solved else "false")
        parameters |= {"solved": filters.solved} if solved else {}
    return (f"SELECT * FROM {known} WHERE {' AND '.join(conditions)}", parameters) if known else ("", {})


class Matrix:
    """How many problems of a set were solved by which methods in one round, by difficulty."""

    def __init__(self, queries: Queries, run: Run, filters: ProblemFilters) -> None:
        self.round, self.methods = round_for(run, filters), run.methods
        self.counts: dict[str, dict[str, int]] = {}
        known, solved = _known(queries, run, filters.set), _solved(queries, run, filters)
        if not known or not solved:
            return
        sql = f"""
            SELECT coalesce(difficulty, '') AS difficulty, solved, count(*) AS n
            FROM {solved} JOIN {known} ON id = problem_id GROUP BY ALL ORDER BY ALL"""
        for row in queries.rows(sql):
            self.counts.setdefault(row["difficulty"], {})[row["solved"]] = row["n"]

    @property
    def patterns(self) -> list[str]:
        """The patterns that occur: all methods first, none last."""
        found = {pattern for row in self.counts.values() for pattern in row}
        return sorted(found, key=lambda p: (p == NOBODY, -p.count("+"), p))

    @property
    def total(self) -> dict[str, int]:
        """Problems by pattern, whatever their difficulty."""
        return {p: sum(row.get(p, 0) for row in self.counts.values()) for p in self.patterns}

    @property
    def chart(self) -> Chart:
        """Shares of patterns by difficulty."""
        columns = {name or "unknown": {p: row.get(p, 0) for p in self.patterns} for name, row in self.counts.items()}
        title = "Solved by which methods, by difficulty"
        return stacked("solved", title, "difficulty (steps or level)", "share of problems", columns, share=True)

    @property
    def phis(self) -> Table:
        """Phi of each two methods' successes, over all problems and over those that any method solved."""
        parts = {"all": self.total} | {name or "unknown": row for name, row in self.counts.items()}
        rows = []
        for a, b in combinations(self.methods, 2):
            for name, counts in parts.items() if len(parts) > 2 else [("all", self.total)]:
                rows.append([f"{a} and {b}", name, sum(counts.values()), *_phis(counts, a, b)])
        return Table(["methods", "difficulty", "problems", "phi, all problems", "phi, solved by any"], rows)


def _phis(counts: Mapping[str, int], a: str, b: str) -> list[float | None]:
    cells = {(x, y): 0 for x in (True, False) for y in (True, False)}
    for pattern, count in counts.items():
        names = pattern.split("+")
        cells[a in names, b in names] += count
    both, first, second, neither = cells[True, True], cells[True, False], cells[False, True], cells[False, False]
    found = (phi(both, first, second, neither), phi(both, first, second, neither - counts.get(NOBODY, 0)))
    return [None if value is None else round(value, 3) for value in found]


def _solved(queries: Queries, run: Run, filters: ProblemFilters) -> str:
    """A table of (problem_id, solved) of a set in a round: the names of the methods that solved it, joined by `+`."""
    round_ = round_for(run, filters)
    if round_ is None or filters.set == "annotated" or not run.methods:
        return ""
    names = {f"m{number}": method for number, method in enumerate(run.methods)}
    parameters: dict[str, Any] = dict(names)
    stage, figures, files = "filter", round_.directory.evaluation / "figures.json", parts_of(round_, "evaluate")
    if filters.set == "train":
        right = ", ".join(f"'{reason}'" for reason in RIGHT)
        columns = ", ".join(
            f"bool_or(method = ${m} AND split_part(reason, ':', 1) IN ({right})) AS is_{m}" for m in names
        )
        rows = f"SELECT problem_id, {columns} FROM {read([str(round_.directory.decisions)])} GROUP BY problem_id"
    elif files and figures.exists():
        stage = "evaluate"
        right_of = json.loads(figures.read_text(encoding="utf-8"))[filters.set].get("right") or {}
        columns = ", ".join(f"problem_id IN (SELECT unnest($right_{m})) AS is_{m}" for m in names)
        parameters |= {f"right_{m}": list(right_of.get(method, [])) for m, method in names.items()}
        rows = f"SELECT problem_id, {columns} FROM (SELECT DISTINCT problem_id FROM {read(files)})"
    else:
        return ""
    pattern = ", ".join(f"CASE WHEN is_{m} THEN ${m} END" for m in names)
    sql = f"SELECT problem_id, coalesce(nullif(concat_ws('+', {pattern}), ''), '{NOBODY}') AS solved FROM ({rows})"
    finished = round_.manifests[stage].get("finished")
    return queries.kept(f"{round_.directory.root} solved {filters.set}", finished, sql, parameters)


def _known(queries: Queries, run: Run, name: Set) -> str:
    """A table of the problems of a set, as they are found and listed; no name where the run has none."""
    file = problem_file(run, name)
    if file is None:
        return ""
    sql = f"SELECT id, question, answer, {DIFFICULTY} AS difficulty FROM {_json(file)} WHERE id IS NOT NULL"
    return queries.kept(f"{run.root} problems {name}", Path(file).stat().st_mtime_ns, sql)


def _json(file: str) -> str:
    """`read_json` of problems. A line that is no Unicode text (a lone surrogate) is left out instead of stopping it."""
    quoted = file.replace("'", "''")
    settings = "format = 'newline_delimited', ignore_errors = true, maximum_object_size = 67108864"
    return f"read_json(['{quoted}'], {settings}, columns = {_FIELDS})"
