"""Everything that a run wrote about one problem, from its tables, without reading the rest of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.runs.directory import RoundDirectory, RunDirectory


def problem_in(run: RunDirectory, problem_id: str) -> dict[str, Any]:
    """A problem of a run, with its `set`; one that is annotated too is of the other set.

    Raises InputError for one that the run does not have, with some that it has.
    """
    known = []
    for path in sorted(run.problems.glob("*.jsonl"), key=lambda path: (path.stem == "annotated", path.stem)):
        with path.open(encoding="utf-8") as file:
            for line in file:
                problem = json.loads(line)
                if problem["id"] == problem_id:
                    return {**problem, "set": path.stem}
                known.append(problem["id"])
    near = [name for name in known if problem_id in name][:3] or known[:3]
    meant = f"there are {', '.join(f'`{name}`' for name in near)}, …" if near else "it has no problems yet"
    raise InputError(f"{run.root}: has no problem `{problem_id}`; {meant}")


def solutions_of(run: RunDirectory, problem_id: str) -> list[dict[str, Any]]:
    """Every solution of a problem, by round, method and sample: the columns of `mmst.methods.method.Solution`, and
    `written` (`native`, `rationalized`, `translated`, `evaluated`); once the filter has decided also `label`, `label_source`,
    `kept` and `reason`. Raises InputError for a table that cannot be read.
    """
    rows = [row for round_ in run.rounds() for row in _in_round(round_, problem_id)]
    order = ("native", "rationalized", "translated", "evaluated")
    return sorted(rows, key=lambda r: (r["round"], order.index(r["written"]), r["method"], r["sample"], r["turn"]))


def _in_round(round_: RoundDirectory, problem_id: str) -> Iterator[dict[str, Any]]:
    made = {"native": round_.solutions, "rationalized": round_.rationalizations, "translated": round_.translations}
    tables = {written: sorted(folder.glob("part-*.parquet")) for written, folder in made.items()}
    tables["evaluated"] = [path for path in (round_.evaluation / "solutions.parquet",) if path.exists()]
    decided = (
        round_.decisions,
        *(folder / round_.decisions.name for folder in (round_.rationalizations, round_.translations)),
    )
    decisions = {
        decision.pop("solution_id"): decision
        for path in decided
        if path.exists()
        for decision in _rows(path, problem_id)
    }
    for written, paths in tables.items():
        for path in paths:
            for row in _rows(path, problem_id):
                decision = decisions.get(row["solution_id"], {})
                kept = {name: decision.get(name) for name in ("label", "label_source", "kept", "reason")}
                yield {**row, "written": written, **kept}


def _rows(path: Path, problem_id: str) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_table(path, filters=[("problem_id", "=", problem_id)]).to_pylist())
    except pa.ArrowException as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
