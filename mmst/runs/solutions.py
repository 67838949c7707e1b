"""Everything that a run wrote about one problem, read from its tables without loading the rest of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.runs.directory import RoundDirectory, RunDirectory

_WRITTEN = ("native", "rationalized", "translated", "evaluated")


def problem_in(run: RunDirectory, problem_id: str) -> dict[str, Any]:
    """A problem of a run, with its `set`; a problem with annotations is listed under its other set.

    Raises InputError for an unknown problem, with the names of similar ones.
    """
    known = []
    for path in sorted(run.problems.glob("*.jsonl"), key=lambda path: (path.stem == "annotated", path.stem)):
        if not path.is_file():
            raise InputError(f"{path}: is no regular file")
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
    """Every solution of a problem, by round, method and sample.

    A row has the columns of `mmst.records.Solution`, `written` (native, rationalized, translated or evaluated) and,
    once the filter has decided, `label`, `label_source`, `kept` and `reason`. Raises InputError for an unreadable
    table.
    """
    rows = [row for round_ in run.rounds() for row in _in_round(round_, problem_id)]
    return sorted(rows, key=lambda r: (r["round"], _WRITTEN.index(r["written"]), r["method"], r["sample"], r["turn"]))


def _in_round(round_: RoundDirectory, problem_id: str) -> Iterator[dict[str, Any]]:
    folders = (round_.solutions, round_.rationalizations, round_.translations)
    tables = [*(sorted(folder.glob("part-*.parquet")) for folder in folders), [round_.evaluation / "solutions.parquet"]]
    decided = (round_.decisions, *(folder / round_.decisions.name for folder in folders[1:]))
    decisions = {row.pop("solution_id"): row for path in decided for row in _rows(path, problem_id)}
    for written, paths in zip(_WRITTEN, tables, strict=True):
        for row in (row for path in paths for row in _rows(path, problem_id)):
            decision = decisions.get(row["solution_id"], {})
            kept = {name: decision.get(name) for name in ("label", "label_source", "kept", "reason")}
            yield {**row, "written": written, **kept}


def _rows(path: Path, problem_id: str) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        return []
    try:
        return list(pq.read_table(path, filters=[("problem_id", "=", problem_id)]).to_pylist())
    except pa.ArrowException as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
