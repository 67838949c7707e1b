"""`mmst verify-run`: checks every manifest, checksum, row count and reference of a run, in bounded memory.

The rows of all files that manifests list are loaded into a DuckDB file that spills to disk: a pool of millions of rows
takes the same few hundred megabytes of memory as a small one. Files that no manifest lists are ignored.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mmst.config import Config
from mmst.config.file import build_config, read_yaml
from mmst.errors import InputError
from mmst.files import checksum
from mmst.foreign import read_json
from mmst.problems.sets import SETS, drawn_problems
from mmst.records import FilterDecision, Solution, TrainingRow
from mmst.runs.directory import RoundDirectory, RunDirectory
from mmst.runs.forks import asked_before_fork
from mmst.runs.identity import located, name_of
from mmst.runs.manifests import Problems
from mmst.runs.stages import stages_in
from mmst.runs.status import run_at
from mmst.runs.tables import schema_of

_SETTINGS = "SET memory_limit='400MB'; SET threads=2; SET preserve_insertion_order=true"
_TABLES: dict[str, tuple[type, str]] = {
    "solution": (Solution, "solution_id, problem_id, method, sample, status, origin_id, checkpoint"),
    "decision": (FilterDecision, "solution_id, problem_id, kept"),
    "pool": (TrainingRow, "task, source, problem_id, solution_id, hash(prompt, completion) AS text"),
}
"""Tables with their rows and the columns that are loaded, after `round` and `stage`."""


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with a run; `path` is relative to the run."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def verify_run(root: Path) -> tuple[list[Fault], dict[str, int]]:
    """The faults of a run, and how many `manifests`, `files`, `solutions` and `pool` rows were checked.

    Raises InputError if there is no run.
    """
    run = run_at(root)
    with tempfile.TemporaryDirectory(prefix="mmst-verify-") as scratch:
        audit = _Audit(run, Path(scratch))
        faults = [*audit.files(), *audit.references()]
        return faults, audit.counts


def as_json(place: str, faults: list[Fault], counts: dict[str, int]) -> str:
    """The result as JSON."""
    return json.dumps({"run": place, "faults": [asdict(fault) for fault in faults], "checked": counts})


class _Audit:
    def __init__(self, run: RunDirectory, scratch: Path) -> None:
        self.run = run
        self.config = build_config(read_yaml(run.root / "config.yaml"), str(run.root / "config.yaml"))
        self.counts = {"manifests": 0, "files": 0, "solutions": 0, "pool": 0}
        self.figures: dict[tuple[int, str], dict[str, Any]] = {}
        """Figures of every stage that has a valid manifest, by round and stage."""
        self.faulty: set[Path] = set()
        self._name_of = functools.cache(name_of)
        self.db = duckdb.connect(str(scratch / "rows.duckdb"))
        self.db.execute(f"{_SETTINGS}; SET temp_directory='{scratch}'")
        for table, (row, columns) in _TABLES.items():
            self.db.register("none", schema_of(row).empty_table())
            self.db.execute(f"CREATE TABLE {table} AS SELECT 0 AS round, '' AS stage, {columns} FROM none")
        self.db.execute(
            "CREATE TABLE problem (set VARCHAR, place INT, id VARCHAR);"
            "CREATE TABLE expected (round INT, stage VARCHAR, problem_id VARCHAR, method VARCHAR, sample INT);"
            "CREATE TABLE writer (round INT, stage VARCHAR, expected VARCHAR);"
            "CREATE TABLE complete (number INT)"
        )

    # Files: every manifest is valid, and what it lists exists with the right checksum and row count. -----------------

    def files(self) -> Iterator[Fault]:
        """Check every manifest and the files it lists; load the rows of the intact ones."""
        rounds = [fault for round_ in self.run.rounds() for fault in self._round(round_)]
        yield from self._problems()
        yield from rounds
        yield from (Fault(self._name(path), what) for path, what in self.run.gaps(self._stages))
        yield from self._lines("metrics.jsonl")
        yield from self._lines("rounds.jsonl")

    def _problems(self) -> Iterator[Fault]:
        path = self.run.problems / "manifest.json"
        try:
            parts = read_json(path, Problems).model_dump()["parts"]
        except FileNotFoundError:
            if self.figures:
                yield Fault("problems/manifest.json", "is missing")
            return
        except InputError as error:
            yield Fault("problems/manifest.json", str(error).partition(": ")[2])
            return
        self.counts["manifests"] += 1
        for part in parts:
            fault = self._part(self.run.problems, part)
            if fault is None and part["rows"]:
                fault = self._problem_ids(self.run.problems / part["path"])
            if fault:
                yield fault

    def _problem_ids(self, path: Path) -> Fault | None:
        query = (
            "INSERT INTO problem SELECT ?, row_number() OVER () - 1, id FROM read_json(?, "
            "format='newline_delimited', columns={id: 'VARCHAR'})"
        )
        return self._insert(path, query, path.stem)

    def _insert(self, path: Path, query: str, *values: Any) -> Fault | None:
        """Load the rows of a file by a query whose last parameter is its path."""
        try:
            self.db.execute(query, [*values, str(path)])
        except duckdb.Error as error:
            return Fault(self._name(path), f"cannot be read ({str(error).splitlines()[0]})")
        return None

    def _round(self, round_: RoundDirectory) -> Iterator[Fault]:
        for stage in self._stages(round_.number):
            try:
                manifest = round_.manifest(stage)
            except InputError as error:
                yield Fault(self._name(round_.manifest_path(stage)), str(error).partition(": ")[2])
                continue
            if manifest is None:
                continue
            self.counts["manifests"] += 1
            self.figures[round_.number, stage] = manifest["figures"]
            for part in manifest["parts"]:
                path = round_.root / part["path"]
                if fault := self._part(round_.root, part):
                    self.faulty.add(path)
                    yield fault
                elif path.suffix == ".parquet" and (fault := self._load(round_.number, stage, path)):
                    yield fault

    def _part(self, root: Path, part: Mapping[str, Any]) -> Fault | None:
        """What is wrong with a file or directory that a manifest lists."""
        path = root / part["path"]
        self.counts["files"] += 1
        if not path.exists():
            return None if part.get("removed") else Fault(self._name(path), "is missing")
        try:
            if (found := checksum(path)) != part["checksum"]:
                return Fault(self._name(path), f"its checksum is {found}, the manifest says {part['checksum']}")
            rows = pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None
        except (OSError, pa.ArrowException) as error:
            return Fault(self._name(path), f"cannot be read ({str(error).splitlines()[0]})")
        if rows is not None and part.get("rows") not in (None, rows):
            return Fault(self._name(path), f"has {rows} rows, the manifest says {part['rows']}")
        return None

    def _load(self, number: int, stage: str, path: Path) -> Fault | None:
        table = {"decisions": "decision", "pool": "pool"}.get(path.stem, "solution")
        query = f"INSERT INTO {table} SELECT ?, ?, {_TABLES[table][1]} FROM read_parquet(?)"
        return self._insert(path, query, number, "generate" if stage == "filter" else stage)

    def _lines(self, name: str) -> Iterator[Fault]:
        """Check a file of JSON lines, whose last line may be torn."""
        path = self.run.root / name
        if not path.is_file():
            return
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    json.loads(line)
                except (ValueError, RecursionError):
                    if line.endswith(b"\n"):
                        yield Fault(f"{name}:{number}", "is not valid JSON")

    # References: every row refers to an existing row, none is missing, none is there twice. --------------------------

    def references(self) -> Iterator[Fault]:
        """Check every reference between the loaded tables."""
        self._expect()
        self.db.execute(
            "CREATE TABLE kept AS SELECT round, stage, solution_id, problem_id "
            "FROM solution JOIN decision USING (round, stage, solution_id, problem_id) WHERE kept"
        )
        for name, table in (("solutions", "solution"), ("pool", "pool")):
            self.counts[name] = self._rows(f"SELECT count(*) FROM {table}")[0][0]
        for what, query in _QUERIES.items():
            found = f"SELECT round, stage, count(*), min(id) FROM ({query}) GROUP BY ALL ORDER BY ALL"
            for number, stage, count, example in self._rows(found):
                yield Fault(f"round-{number:03d} {stage}", f"{count} {what}, such as {example}")
        if finished := [number for number, stage in self.figures if stage == "promote"]:
            manifest = self.run.round(max(finished)).manifest_path("promote")
            held = self.figures[max(finished), "promote"].get("checkpoint", "")
            if held.startswith("round-") and not (self.run.root / held).is_dir():
                yield Fault(self._name(manifest), f"its {held} is missing")

    def _expect(self) -> None:
        """Fill the tables that say what each stage should have written.

        `expected` holds each problem, method and sample number that it solves, `writer` the checkpoint that solves
        them, and `complete` the rounds whose pool contains everything that was kept.
        """
        ids: dict[str, list[str]] = {name: [] for name in SETS}
        for name, problem in self._rows("SELECT set, id FROM problem ORDER BY place"):
            ids[name].append(problem)
        for number, stage in self.figures:
            config = self._config(number)
            if stage == "generate":
                drawn = drawn_problems(ids["train"], config.rounds.problems, config.seed, number)
                self._expect_each(number, stage, drawn, config.samples)
            elif stage == "evaluate":
                limit, samples = config.evaluation.limit, dict.fromkeys(config.methods, config.evaluation.samples)
                self._expect_each(number, stage, [*ids["dev"][:limit], *ids["test"][:limit]], samples)
            elif stage == "train" and self._complete(number, config):
                self._rows("INSERT INTO complete VALUES (?)", number)
            if writer := self._writer(number, stage):
                self._rows("INSERT INTO writer VALUES (?, ?, ?)", number, stage, writer)

    def _expect_each(self, number: int, stage: str, problems: Sequence[str], samples: Mapping[str, int]) -> None:
        self.db.register("ids", pa.table({"id": pa.array(problems, pa.string())}))
        for method, count in samples.items():
            query = "INSERT INTO expected SELECT ?, ?, id, ?, n FROM ids, range(?) AS r(n)"
            self.db.execute(query, [number, stage, method, count])
        self.db.unregister("ids")

    def _complete(self, number: int, config: Config) -> bool:
        intact = self.run.round(number).pool not in self.faulty
        return intact and config.rounds.generate and config.training.pool_limit is None

    def _writer(self, number: int, stage: str) -> str | None:
        """The name of the checkpoint that solves in a stage; None if the stage has none, or it was cleaned away."""
        if stage == "evaluate" and (number, "train") in self.figures:
            checkpoint = self._name(self.run.round(number).checkpoint)
        elif stage in ("generate", "translate") and self.config.teacher is None:
            checkpoint = self.figures.get((number - 1, "promote"), {}).get("checkpoint", "")
        else:
            return None
        inside = self.run.root / checkpoint
        if not checkpoint or (checkpoint.startswith("round-") and not inside.is_dir()):
            return None
        return self._name_of(inside if inside.is_dir() else located(checkpoint))

    def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.db.execute(query, parameters).fetchall()

    def _stages(self, number: int) -> list[str]:
        return stages_in(self.run, self.config, number)

    def _config(self, number: int) -> Config:
        """The configuration of a round: that of another run before a fork."""
        return asked_before_fork(self.run.root, number) or self.config

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.run.root))


_QUERIES = {
    "solutions of unknown problems": """
        SELECT round, stage, solution_id AS id FROM solution s ANTI JOIN problem p ON p.id = s.problem_id
        AND (p.set = 'train' OR s.stage = 'evaluate' AND p.set IN ('dev', 'test'))""",
    "duplicate solutions": """
        SELECT round, stage, solution_id AS id FROM solution GROUP BY ALL HAVING count(*) > 1""",
    "problem × method × sample without a solution": """
        SELECT round, stage, concat_ws('/', problem_id, method, sample) AS id FROM expected
        ANTI JOIN (FROM solution WHERE status <> 'turn') USING (round, stage, problem_id, method, sample)""",
    "problem × method × sample with more than one solution": """
        SELECT round, stage, concat_ws('/', problem_id, method, sample) AS id FROM solution
        WHERE status <> 'turn' AND stage IN ('generate', 'evaluate')
        GROUP BY round, stage, problem_id, method, sample HAVING count(*) > 1""",
    "unexpected solutions": """
        SELECT round, stage, solution_id AS id FROM solution
        ANTI JOIN expected USING (round, stage, problem_id, method, sample) WHERE stage IN ('generate', 'evaluate')""",
    "solutions without a decision": """
        SELECT round, stage, solution_id AS id FROM solution SEMI JOIN decision USING (round, stage)
        ANTI JOIN decision USING (round, stage, solution_id) WHERE status <> 'turn'""",
    "decisions without a solution": """
        SELECT round, stage, solution_id AS id FROM decision
        ANTI JOIN solution USING (round, stage, solution_id, problem_id)""",
    "duplicate decisions": """
        SELECT round, stage, solution_id AS id FROM decision GROUP BY round, stage, solution_id HAVING count(*) > 1""",
    "translations of solutions that were not kept": """
        SELECT round, stage, solution_id AS id FROM solution s ANTI JOIN kept k
        ON (k.round, k.solution_id, k.problem_id) = (s.round, s.origin_id, s.problem_id) WHERE origin_id IS NOT NULL""",
    "solutions of another checkpoint": """
        SELECT round, stage, checkpoint AS id FROM solution JOIN writer USING (round, stage)
        WHERE checkpoint <> expected""",
    "pool rows without a kept solution": """
        SELECT round, stage, coalesce(solution_id, problem_id) AS id FROM pool p ANTI JOIN kept k ON k.round <= p.round
        AND (k.solution_id, k.problem_id) = (p.solution_id, p.problem_id) WHERE source <> 'view'""",
    "kept solutions that are not in the pool": """
        SELECT number AS round, 'train' AS stage, solution_id AS id FROM complete JOIN kept ON round <= number
        ANTI JOIN pool p ON p.round = number AND p.solution_id = kept.solution_id AND p.source <> 'pair'""",
    "pool rows of unknown problems": """
        SELECT round, stage, problem_id AS id FROM pool p ANTI JOIN problem q ON q.id = p.problem_id
        AND q.set = if(p.source = 'view', 'annotated', 'train')""",
    "duplicate pool rows": """
        SELECT round, stage, solution_id AS id FROM pool WHERE solution_id IS NOT NULL
        GROUP BY round, stage, source, task, solution_id, text HAVING count(*) > 1""",
}
"""Faults, each with a query of the rows that have it."""
