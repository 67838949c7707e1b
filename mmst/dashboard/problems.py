"""The problems of a run, and which methods solved them."""

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
from mmst.evaluation.figures import phi

Set = Literal["train", "dev", "test", "annotated"]
SETS: tuple[Set, ...] = get_args(Set)
NOBODY = "no method"
DIFFICULTY = "coalesce(meta ->> 'steps', meta ->> 'level', meta ->> 'difficulty')"
"""The difficulty of a problem: the first of these keys that its `meta` has."""
_FIELDS = "{id: 'VARCHAR', question: 'VARCHAR', answer: 'VARCHAR', views: 'JSON', meta: 'JSON'}"
_CONDITIONS = {
    "q": "(contains(question, $q) OR contains(id, $q) OR answer = $q)",
    "difficulty": "coalesce(difficulty, 'unknown') = $difficulty",
    "solved": "id IN (SELECT problem_id FROM {solved} WHERE solved = $solved)",
}


class ProblemFilters(BaseModel):
    """Which problems a page lists; an empty field does not filter."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    set: Set = "train"
    round: int | None = Field(default=None, ge=0, le=999)
    solved: str = ""
    """A pattern of the matrix: `cot+pot`, `pot`, `no method`."""
    difficulty: str = ""
    q: str = ""
    """Text that the question or the id contains, or the answer."""
    page: int = Field(default=1, ge=1, le=10**9)


def round_for(run: Run, filters: ProblemFilters) -> Round | None:
    """The filters' round, by default the last one, if it shows which methods solved the set's problems."""
    stage = "filter" if filters.set == "train" else "evaluate"
    able = [r for r in run.rounds if stage in r.manifests]
    if filters.round is not None:
        return next((r for r in able if r.number == filters.round), None)
    return able[-1] if able else None


def problem(queries: Queries, run: Run, problem_id: str) -> dict[str, Any] | None:
    """One problem with its set; None if no set has it."""
    for name in SETS:
        file, indexed = problem_file(run, name), _index(queries, run, name)
        if file and queries.rows(f"SELECT id FROM {indexed} WHERE id = $id", {"id": problem_id}):
            row = queries.rows(f"SELECT * FROM {_json(file)} WHERE id = $id LIMIT 1", {"id": problem_id})[0]
            return row | {"set": name, **{part: json.loads(row[part] or "{}") for part in ("views", "meta")}}
    return None


def problems(queries: Queries, run: Run, filters: ProblemFilters) -> tuple[list[dict[str, Any]], int]:
    """A page of problems with the methods that solved each in the round, and the number of all matches."""
    sql, parameters = problem_selection(queries, run, filters)
    if not sql:
        return [], 0
    count = queries.rows(f"SELECT count(*) AS n FROM ({sql})", parameters)[0]["n"]
    rows = queries.rows(f"{sql} LIMIT {PAGE} OFFSET {(filters.page - 1) * PAGE}", parameters)
    solved = {}
    if rows and (table := _solved(queries, run, filters)):
        wanted = f"SELECT * FROM {table} WHERE problem_id IN (SELECT unnest($ids))"
        found = queries.rows(wanted, {"ids": [row["id"] for row in rows]})
        solved = {row["problem_id"]: row["solved"] for row in found}
    return [row | {"solved": solved.get(row["id"])} for row in rows], count


def problem_selection(queries: Queries, run: Run, filters: ProblemFilters) -> tuple[str, dict[str, Any]]:
    """SQL for all problems that match, and its parameters; empty SQL if the set has no problems."""
    indexed, solved = _index(queries, run, filters.set), ""
    if filters.solved and not (solved := _solved(queries, run, filters)):
        return "", {}
    parameters = {name: value for name in _CONDITIONS if (value := getattr(filters, name))}
    where = " AND ".join(_CONDITIONS[name].format(solved=solved) for name in parameters) or "true"
    return (f"SELECT * FROM {indexed} WHERE {where}", parameters) if indexed else ("", {})


class Matrix:
    """How many problems of a set were solved by which methods in one round, by difficulty."""

    def __init__(self, queries: Queries, run: Run, filters: ProblemFilters) -> None:
        self.round, self.methods = round_for(run, filters), run.methods
        self.counts: dict[str, dict[str, int]] = {}
        indexed, solved = _index(queries, run, filters.set), _solved(queries, run, filters)
        if not indexed or not solved:
            return
        sql = f"""
            SELECT coalesce(difficulty, 'unknown') AS difficulty, solved, count(*) AS n
            FROM {solved} JOIN {indexed} ON id = problem_id GROUP BY ALL ORDER BY ALL"""
        for row in queries.rows(sql):
            self.counts.setdefault(row["difficulty"], {})[row["solved"]] = row["n"]

    @property
    def patterns(self) -> list[str]:
        """The patterns that occur, all methods first, no method last."""
        found = {pattern for row in self.counts.values() for pattern in row}
        return sorted(found, key=lambda p: (p == NOBODY, -p.count("+"), p))

    @property
    def total(self) -> dict[str, int]:
        """Problems by pattern, of any difficulty."""
        return {p: sum(row.get(p, 0) for row in self.counts.values()) for p in self.patterns}

    @property
    def chart(self) -> Chart:
        """Shares of patterns by difficulty."""
        columns = {name: {p: row.get(p, 0) for p in self.patterns} for name, row in self.counts.items()}
        title = "Which methods solved a problem, by difficulty"
        return stacked("solved", title, "difficulty (steps or level)", "share of problems", columns, share=True)

    @property
    def phis(self) -> Table:
        """Phi of each two methods' successes, over all problems and over those that any method solved."""
        parts = {"all": self.total} | (self.counts if len(self.counts) > 1 else {})
        rows = [
            [f"{a} and {b}", name, sum(counts.values()), *_phis(counts, a, b)]
            for a, b in combinations(self.methods, 2)
            for name, counts in parts.items()
        ]
        columns = ["methods", "difficulty", "problems", "phi, all problems", "phi, problems that any method solved"]
        return Table(columns, rows)


def _phis(counts: Mapping[str, int], a: str, b: str) -> list[float | None]:
    cells = {(x, y): 0 for x in (True, False) for y in (True, False)}
    for pattern, count in counts.items():
        names = pattern.split("+")
        cells[a in names, b in names] += count
    both, first, second, neither = cells[True, True], cells[True, False], cells[False, True], cells[False, False]
    found = (phi(both, first, second, neither), phi(both, first, second, neither - counts.get(NOBODY, 0)))
    return [None if value is None else round(value, 3) for value in found]


def _solved(queries: Queries, run: Run, filters: ProblemFilters) -> str:
    """The table (problem_id, solved) of a set in a round; `solved` joins the names of methods by `+`. Empty if the
    round does not show it."""
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
    return queries.cached(f"{round_.directory.root} solved {filters.set}", finished, sql, parameters)


def _index(queries: Queries, run: Run, name: Set) -> str:
    """The table of a set's problems without views; empty if the run has no such set."""
    file = problem_file(run, name)
    if file is None:
        return ""
    sql = f"SELECT id, question, answer, {DIFFICULTY} AS difficulty FROM {_json(file)} WHERE id IS NOT NULL"
    return queries.cached(f"{run.root} problems {name}", Path(file).stat().st_mtime_ns, sql)


def _json(file: str) -> str:
    """SQL that reads problems; it skips lines that are not valid Unicode (a lone surrogate)."""
    quoted = file.replace("'", "''")
    settings = "format = 'newline_delimited', ignore_errors = true, maximum_object_size = 67108864"
    return f"read_json(['{quoted}'], {settings}, columns = {_FIELDS})"
