"""`mmst verify-run`: every manifest, checksum, count and reference of a run, in bounded memory.

What the manifests name is read into a DuckDB file that spills to disk, so a pool of millions of rows takes the same
few hundred megabytes as a small one. What no manifest names does not count and is not looked at.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from mmst.config import Config
from mmst.config.file import build_config
from mmst.errors import InputError
from mmst.files import checksum
from mmst.problems.sets import SETS, drawn_problems
from mmst.runs.checkpoints import located, name_of
from mmst.runs.directory import RoundDirectory, RunDirectory
from mmst.runs.forks import asked_before_fork
from mmst.runs.stages import STAGES, stages_in
from mmst.runs.status import run_at

_MEMORY = "400MB"
_COLUMNS = {
    "solution": ("solution_id", "problem_id", "method", "sample", "status", "origin_id", "checkpoint"),
    "decision": ("solution_id", "problem_id", "kept"),
    "pool": ("task", "source", "problem_id", "solution_id", "hash(prompt, completion)"),
}


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, and where: a path inside the run."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def verify_run(root: Path) -> tuple[list[Fault], dict[str, int]]:
    """What is wrong with a run, and how much was looked at (`manifests`, `files`, `solutions`, `pool`).

    Raises InputError where there is no run.
    """
    run = run_at(root)
    with tempfile.TemporaryDirectory(prefix="mmst-verify-") as scratch:
        check = _Check(run, Path(scratch))
        faults = [*check.files(), *check.references()]
        return faults, check.counts


class _Check:
    def __init__(self, run: RunDirectory, scratch: Path) -> None:
        self.run = run
        self.config = build_config(yaml.safe_load((run.root / "config.yaml").read_text()), str(run.root))
        self.counts = {"manifests": 0, "files": 0, "solutions": 0, "pool": 0}
        self.faulty: set[Path] = set()
        self.db = duckdb.connect(str(scratch / "rows.duckdb"))
        self.db.execute(f"SET memory_limit='{_MEMORY}'; SET threads=2; SET preserve_insertion_order=true")
        self.db.execute(f"SET temp_directory='{scratch}'")
        where = "round INT, stage VARCHAR, "
        self.db.execute(
            f"CREATE TABLE solution ({where} solution_id VARCHAR, problem_id VARCHAR, method VARCHAR, sample INT, "
            "status VARCHAR, origin_id VARCHAR, checkpoint VARCHAR);"
            f"CREATE TABLE decision ({where} solution_id VARCHAR, problem_id VARCHAR, kept BOOL);"
            f"CREATE TABLE pool ({where} task VARCHAR, source VARCHAR, problem_id VARCHAR, solution_id VARCHAR, "
            "shown UBIGINT);"
            "CREATE TABLE problem (set VARCHAR, place INT, id VARCHAR);"
            "CREATE TABLE asked (round INT, stage VARCHAR, problem_id VARCHAR, method VARCHAR, sample INT)"
        )

    # Files: what each manifest names is there, whole, and has as many rows as it says. --------------------------------

    def files(self) -> Iterator[Fault]:
        """Check every manifest and what it names; the tables are loaded along the way."""
        yield from self._problems()
        for round_ in self.run.rounds():
            yield from self._round(round_)
        yield from (Fault(self._name(path), what) for path, what in self.run.gaps(self._stages))
        yield from self._lines("metrics.jsonl")
        yield from self._lines("rounds.jsonl")

    def _problems(self) -> Iterator[Fault]:
        path = self.run.problems / "manifest.json"
        try:
            parts = json.loads(path.read_text())["parts"]
        except FileNotFoundError:
            if any(round_.done(stage) for round_ in self.run.rounds() for stage in STAGES):
                yield Fault("problems/manifest.json", "is missing")
            return
        except (ValueError, KeyError, TypeError):
            yield Fault("problems/manifest.json", "is no manifest")
            return
        self.counts["manifests"] += 1
        for part in parts:
            if fault := self._part(self.run.problems, part):
                yield fault
            elif part["rows"]:
                self.db.execute(
                    "INSERT INTO problem SELECT ?, row_number() OVER () - 1, id FROM read_json(?, "
                    "format='newline_delimited', columns={id: 'VARCHAR'})",
                    [Path(part["path"]).stem, str(self.run.problems / part["path"])],
                )

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
            for part in manifest["parts"]:
                if fault := self._part(round_.root, part):
                    self.faulty.add(round_.root / part["path"])
                    yield fault
                else:
                    self._load(round_, stage, round_.root / part["path"])

    def _part(self, root: Path, part: dict[str, Any]) -> Fault | None:
        """What is wrong with one file or directory of a manifest."""
        path = root / part["path"]
        self.counts["files"] += 1
        if not path.exists():
            return None if part.get("removed") else Fault(self._name(path), "is missing")
        if (found := checksum(path)) != part["checksum"]:
            return Fault(self._name(path), f"its checksum is {found}, the manifest says {part['checksum']}")
        if "rows" in part and path.suffix == ".parquet" and (rows := pq.read_metadata(path).num_rows) != part["rows"]:
            return Fault(self._name(path), f"has {rows} rows, the manifest says {part['rows']}")
        return None

    def _load(self, round_: RoundDirectory, stage: str, path: Path) -> None:
        table = next((t for t, stem in (("decision", "decisions"), ("pool", "pool")) if path.stem == stem), "solution")
        if path.suffix == ".parquet":
            columns = ", ".join(_COLUMNS[table])
            query = f"INSERT INTO {table} SELECT ?, ?, {columns} FROM read_parquet(?)"
            self.db.execute(query, [round_.number, "generate" if stage == "filter" else stage, str(path)])

    def _lines(self, name: str) -> Iterator[Fault]:
        """A file of JSON lines; the last one may be torn."""
        path = self.run.root / name
        if not path.exists():
            return
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    json.loads(line)
                except ValueError:
                    if line.endswith(b"\n"):
                        yield Fault(f"{name}:{number}", "is not valid JSON")

    # References: every row leads where it should, nothing is missing, nothing is there twice. -------------------------

    def references(self) -> Iterator[Fault]:
        """Check every reference between the tables that were loaded."""
        self._ask()
        self.db.execute(
            "CREATE TABLE kept AS SELECT round, stage, solution_id, problem_id, s.origin_id IS NOT NULL AS translated "
            "FROM solution s JOIN decision f USING (round, stage, solution_id, problem_id) WHERE f.kept"
        )
        for table in ("solution", "pool"):
            name = "solutions" if table == "solution" else "pool"
            self.counts[name] = self.db.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        for what, query in _QUERIES.items():
            found = f"SELECT round, stage, count(*), min(id) FROM ({query}) GROUP BY ALL ORDER BY ALL"
            for number, stage, count, example in self.db.execute(found).fetchall():
                yield Fault(f"round-{number:03d} {stage}", f"{count} {what}, such as {example}")
        yield from self._pools()
        yield from self._checkpoints()

    def _ask(self) -> None:
        """Which problem × method × sample each finished stage was asked for."""
        ids = {name: self._ids(name) for name in SETS}
        for round_ in self.run.rounds():
            config, rows = self._asked(round_.number), self._asked_rows(round_.number)
            if self._has(round_, "generate"):
                drawn = drawn_problems(ids["train"], config.rounds.problems, config.seed, round_.number)
                rows(("generate", drawn, config.samples))
            if self._has(round_, "evaluate"):
                limit, samples = config.evaluation.limit, dict.fromkeys(config.methods, config.evaluation.samples)
                rows(("evaluate", [*ids["dev"][:limit], *ids["test"][:limit]], samples))

    def _asked_rows(self, number: int) -> Any:
        def rows(asked: tuple[str, Iterable[str], dict[str, int]]) -> None:
            stage, problems, samples = asked
            self.db.register("ids", pa.table({"id": pa.array(problems, pa.string())}))
            for method, count in samples.items():
                query = "INSERT INTO asked SELECT ?, ?, id, ?, n FROM ids, range(?) AS r(n)"
                self.db.execute(query, [number, stage, method, count])
            self.db.unregister("ids")

        return rows

    def _ids(self, name: str) -> list[str]:
        found = self.db.execute("SELECT id FROM problem WHERE set = ? ORDER BY place", [name]).fetchall()
        return [row[0] for row in found]

    def _pools(self) -> Iterator[Fault]:
        """Everything that was kept is in the pool, where nothing limits it."""
        for round_ in self.run.rounds():
            config = self._asked(round_.number)
            if not self._has(round_, "train") or round_.pool in self.faulty:
                continue
            if config.training.pool_limit is not None or not config.rounds.generate:
                continue
            query = (
                "SELECT count(*), min(solution_id) FROM kept k WHERE k.round <= ? AND NOT EXISTS "
                "(FROM pool p WHERE p.round = ? AND p.solution_id = k.solution_id AND p.source <> 'pair')"
            )
            count, example = self.db.execute(query, [round_.number, round_.number]).fetchall()[0]
            if count:
                yield Fault(self._name(round_.pool), f"{count} kept solutions are not in it, such as {example}")

    def _checkpoints(self) -> Iterator[Fault]:
        """Whoever wrote a solution is the checkpoint that the round had; the one that the run goes on with is there."""
        if finished := [round_ for round_ in self.run.rounds() if self._has(round_, "promote")]:
            held = finished[-1].figures("promote").get("checkpoint", "")
            if held.startswith("round-") and not (self.run.root / held).is_dir():
                yield Fault(self._name(finished[-1].manifest_path("promote")), f"{held}, which it names, is missing")
        for round_ in self.run.rounds():
            before = self.run.round(round_.number - 1)
            held = before.figures("promote").get("checkpoint") if self._has(before, "promote") else None
            if held and self._has(round_, "generate") and getattr(self.config, "teacher", None) is None:
                yield from self._written_by(round_, ("generate", "translate"), held)
            own = round_.checkpoint if self._has(round_, "train") else None
            if own and self._has(round_, "evaluate"):
                yield from self._written_by(round_, ("evaluate",), str(own.relative_to(self.run.root)))

    def _written_by(self, round_: RoundDirectory, stages: tuple[str, ...], checkpoint: str) -> Iterator[Fault]:
        inside = self.run.root / checkpoint
        if not inside.is_dir() and checkpoint.startswith("round-"):
            return  # cleaned away
        name = name_of(inside if inside.is_dir() else located(checkpoint))
        query = (
            "SELECT stage, count(*), min(checkpoint) FROM solution WHERE round = ? AND list_contains(?, stage) "
            "AND checkpoint <> ? GROUP BY ALL"
        )
        for stage, count, other in self.db.execute(query, [round_.number, list(stages), name]).fetchall():
            yield Fault(f"round-{round_.number:03d} {stage}", f"{count} solutions of another checkpoint, {other}")

    def _has(self, round_: RoundDirectory, stage: str) -> bool:
        try:
            return round_.done(stage)
        except InputError:
            return False

    def _stages(self, number: int) -> list[str]:
        return stages_in(self.run, self.config, number)

    def _asked(self, number: int) -> Config:
        """The configuration that a round was done with: rounds from before a fork had another one."""
        return asked_before_fork(self.run.root, number) or self.config

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.run.root))


_QUERIES = {
    "solutions of problems that the run does not have": """
        SELECT round, stage, solution_id AS id FROM solution s WHERE NOT EXISTS
        (FROM problem p WHERE p.id = s.problem_id
        AND (p.set = 'train' OR s.stage = 'evaluate' AND p.set IN ('dev', 'test')))""",
    "solutions that are there more than once": """
        SELECT round, stage, solution_id AS id FROM solution GROUP BY ALL HAVING count(*) > 1""",
    "problem × method × sample without a solution": """
        SELECT round, stage, concat_ws('/', problem_id, method, sample) AS id FROM asked a WHERE NOT EXISTS (FROM
        solution s WHERE (s.round, s.stage, s.problem_id, s.method, s.sample)
        = (a.round, a.stage, a.problem_id, a.method, a.sample) AND s.status <> 'turn')""",
    "problem × method × sample with more than one solution": """
        SELECT round, stage, concat_ws('/', problem_id, method, sample) AS id FROM solution
        WHERE status <> 'turn' AND stage IN ('generate', 'evaluate')
        GROUP BY round, stage, problem_id, method, sample HAVING count(*) > 1""",
    "solutions that nobody asked for": """
        SELECT round, stage, solution_id AS id FROM solution s WHERE stage IN ('generate', 'evaluate') AND NOT EXISTS
        (FROM asked a WHERE (s.round, s.stage, s.problem_id, s.method, s.sample)
        = (a.round, a.stage, a.problem_id, a.method, a.sample))""",
    "solutions without a decision": """
        SELECT s.round, s.stage, s.solution_id AS id FROM solution s WHERE s.status <> 'turn' AND EXISTS (FROM decision f
        WHERE (f.round, f.stage) = (s.round, s.stage)) AND NOT EXISTS (FROM decision f
        WHERE (f.round, f.stage, f.solution_id) = (s.round, s.stage, s.solution_id))""",
    "decisions without a solution": """
        SELECT f.round, f.stage, f.solution_id AS id FROM decision f WHERE NOT EXISTS (FROM solution s
        WHERE (f.round, f.stage, f.solution_id, f.problem_id) = (s.round, s.stage, s.solution_id, s.problem_id))""",
    "decisions that are there more than once": """
        SELECT round, stage, solution_id AS id FROM decision GROUP BY round, stage, solution_id HAVING count(*) > 1""",
    "translations of what was not kept": """
        SELECT round, stage, solution_id AS id FROM solution s WHERE origin_id IS NOT NULL AND NOT EXISTS
        (FROM kept k WHERE (k.round, k.solution_id, k.problem_id) = (s.round, s.origin_id, s.problem_id))""",
    "pool rows that lead to no kept solution": """
        SELECT round, stage, coalesce(solution_id, problem_id) AS id FROM pool p WHERE source <> 'view' AND NOT EXISTS
        (FROM kept k WHERE k.round <= p.round AND (k.solution_id, k.problem_id) = (p.solution_id, p.problem_id))""",
    "pool rows of problems that the run does not have": """
        SELECT round, stage, problem_id AS id FROM pool p WHERE NOT EXISTS (FROM problem q WHERE q.id = p.problem_id
        AND q.set = if(p.source = 'view', 'annotated', 'train'))""",
    "pool rows that are there more than once": """
        SELECT round, stage, solution_id AS id FROM pool WHERE solution_id IS NOT NULL
        GROUP BY round, stage, source, task, solution_id, shown HAVING count(*) > 1""",
}


def as_json(place: str, faults: list[Fault], counts: dict[str, int]) -> str:
    """The result for programs."""
    return json.dumps({"run": place, "faults": [asdict(fault) for fault in faults], "checked": counts})
