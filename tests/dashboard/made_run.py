"""A run as the loop writes it, made by the loop's own writers from rows that say something on purpose."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from mmst.config.file import build_config, dump_config
from mmst.evaluation import Outcome, figures_of, without_problems
from mmst.files import append_line, checksum, write_json, write_text
from mmst.problems.read import write_problems
from mmst.records import FilterDecision, Problem, Solution
from mmst.runs.directory import FORMAT, RoundDirectory, RunDirectory
from mmst.runs.lock import held
from mmst.runs.tables import write_table

SCRIPT = "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title='taken over'\">"
ANSI = "\x1b[31mred\x1b[0m\x1b]0;a title\x07 \x1b[2J and \u202eturned round"
PROBLEMS = 12
TREE: dict[str, Any] = {
    "name": "made",
    "problems": {"train": "train.jsonl"},
    "model": {"path": "some/model"},
    "rounds": {"max": 2},
}


class MadeRun:
    """A run directory that grows by calls, as a loop would let it grow."""

    def __init__(self, root: Path) -> None:
        self.run = RunDirectory(root)
        self.config = build_config(TREE)
        root.mkdir(parents=True)
        write_text(root / "config.yaml", dump_config(self.config))
        started = {"format": FORMAT, "name": "made", "started": "2026-01-01T00:00:00+0000", "versions": {"mmst": "0.1.0"}}
        write_json(root / "run.json", started)
        (root / "problems").mkdir()
        self.problems = {name: self._problems(name) for name in ("train", "dev", "test", "annotated")}
        parts = []
        for name, problems in self.problems.items():
            path = root / "problems" / f"{name}.jsonl"
            write_problems(path, problems)
            parts.append({"path": path.name, "rows": len(problems), "checksum": checksum(path)})
        write_json(root / "problems" / "manifest.json", {"parts": parts, "removed": {}})

    def _problems(self, name: str) -> list[Problem]:
        count = PROBLEMS if name != "annotated" else 0
        return [
            Problem(
                id=f"{name}/{i}", question=f"What is {i} + 1? ({name})", answer=str(i + 1), meta={"steps": i % 3 + 1}
            )
            for i in range(count)
        ]

    def hold(self) -> Any:
        """Hold the lock, as a process that works on the run does; closing what comes back lets go."""
        stack = contextlib.ExitStack()
        stack.enter_context(held(self.run.root))
        return stack

    def finish_round(self, number: int) -> None:
        """Everything of one round, in the loop's order."""
        if number:
            self.generate(number)
            self.filter(number)
            self.translate(number)
        self.train(number)
        self.evaluate(number)
        self.promote(number)

    def round(self, number: int) -> RoundDirectory:
        return self.run.round(number)

    def generate(self, number: int) -> None:
        round_ = self.round(number)
        with round_.stage("generate") as commit, commit.timed("generate"):
            path = round_.solutions / "part-00000.parquet"
            rows = [self._solution(number, problem, method) for problem in self.problems["train"] for method in METHODS]
            write_table(path, Solution, rows)
            write_json(path.with_suffix(".json"), {"rows": len(rows), "checksum": checksum(path)})
            commit.parts = [round_.part(path, len(rows))]
            statuses = {"cot": {"ok": PROBLEMS}, "pot": {"ok": PROBLEMS - 3, "timeout": 2, "forbidden": 1}}
            commit.figures = {
                "problems": PROBLEMS,
                "solutions": len(rows),
                "tokens": 7 * len(rows),
                "statuses": statuses,
            }
        self.native = rows

    def _solution(self, number: int, problem: Problem, method: str) -> Solution:
        index = int(problem.id.partition("/")[2])
        status = {3: "timeout", 4: "timeout", 5: "forbidden"}.get(index, "ok") if method == "pot" else "ok"
        right = index % 2 == 0 or number > 1 or method == "pot"
        answer = str(index + 1 if right else index) if status == "ok" else None
        texts = {0: SCRIPT, 1: "x" * 1_000_000, 2: ANSI, 3: "while True:\n    pass", 5: "lone \ud800 surrogate"}
        return Solution(
            solution_id=f"solve-{number}/{problem.id}/{method}/0",
            problem_id=problem.id,
            round=number,
            method=method,
            sample=0,
            checkpoint="c" * 32,
            seed=2**62 + index,
            prompt=f"{problem.question}\nSolve it.",
            text=texts.get(index, f"print({index} + 1)") if method == "pot" else f"{index} + 1 = {answer}",
            finish_reason="stop",
            tokens=7,
            status=status,
            answer=answer,
            key=answer,
        )

    def filter(self, number: int) -> None:
        round_ = self.round(number)
        with round_.stage("filter") as commit:
            self.decisions = [self._decision(row) for row in self.native]
            write_table(round_.decisions, FilterDecision, self.decisions)
            commit.parts = [round_.part(round_.decisions, len(self.decisions))]
            kept = [decision for decision in self.decisions if decision.kept]
            reasons: dict[str, int] = {}
            for decision in self.decisions:
                reasons[decision.reason] = reasons.get(decision.reason, 0) + 1
            commit.figures = {
                "solutions": len(self.decisions),
                "kept": len(kept),
                "kept_by_method": {m: sum(f.method == m for f in kept) for m in METHODS},
                "problems_with_kept": len({f.problem_id for f in kept}),
                "labels": {"gold": PROBLEMS - 2, "agreement": 2, "agreement_right": 1, "agreement_wrong": 1},
                "reasons": reasons,
            }

    def _decision(self, row: Solution) -> FilterDecision:
        label = str(int(row.problem_id.partition("/")[2]) + 1)
        reason = f"not_ok:{row.status}" if row.status != "ok" else "kept" if row.key == label else "wrong"
        return FilterDecision(
            row.solution_id, row.problem_id, row.method, label, label, "gold", 0.5, reason == "kept", reason
        )

    def rationalize(self, number: int) -> None:
        """What a problem's answer led to: one solution, which is kept. Not part of every round."""
        round_, problem = self.round(number), self.problems["train"][1]
        values = {name: getattr(self._solution(2, problem, "cot"), name) for name in Solution.__dataclass_fields__}
        row = Solution(**(values | {"solution_id": f"hint-{number}/{problem.id}/cot/0", "round": number}))
        with round_.stage("rationalize") as commit:
            path, decisions = (
                round_.rationalizations / "part-00000.parquet",
                round_.rationalizations / "decisions.parquet",
            )
            write_table(path, Solution, [row])
            write_table(decisions, FilterDecision, [self._decision(row)])
            commit.parts = [round_.part(path, 1), round_.part(decisions, 1)]
            commit.figures = {"solutions": 1, "kept": 1, "kept_by_method": {"cot": 1, "pot": 0}, "reasons": {"kept": 1}}

    def translate(self, number: int) -> None:
        round_ = self.round(number)
        origin = next(row for row in self.native if row.method == "pot" and row.status == "ok")
        values = {name: getattr(origin, name) for name in Solution.__dataclass_fields__}
        made = {"solution_id": f"{origin.solution_id}>cot", "method": "cot", "origin_id": origin.solution_id}
        row = Solution(**(values | made | {"text": "0 + 1 = 1", "role": "translator"}))
        with round_.stage("translate") as commit, commit.timed("translate"):
            path, decisions = round_.translations / "part-00000.parquet", round_.translations / "decisions.parquet"
            write_table(path, Solution, [row])
            write_json(path.with_suffix(".json"), {"rows": 1, "checksum": checksum(path)})
            write_table(decisions, FilterDecision, [self._decision(row)])
            commit.parts = [round_.part(path, 1), round_.part(decisions, 1)]
            commit.figures = {
                "translations": 1,
                "kept": 1,
                "kept_by_method": {"cot": 1, "pot": 0},
                "reasons": {"kept": 1},
            }

    def train(self, number: int) -> None:
        with self.round(number).stage("train") as commit:
            rows = {"cot view": 5, "cot native": 3 * number, "pot native": 4 * number, "cot translated": number}
            commit.figures = {"rows": rows, "steps": 40, "tokens_per_second": 1234.5, "restarts": 0, "left_out": {}}
        for step in range(1, 41):
            point = {"step": step, "loss": 3.0 / step, "tokens": 100, "seconds": 0.1}
            append_line(self.run.metrics, {"round": number, "stage": "train", "role": "solver", **point})

    def evaluate(self, number: int) -> None:
        round_, rows = self.round(number), []
        figures: dict[str, Any] = {}
        for name in ("dev", "test"):
            outcomes = []
            for problem in self.problems[name]:
                answers = [self._solution(number, problem, method) for method in METHODS]
                rows += [self._evaluation(row, number) for row in answers]
                outcomes.append(Outcome(problem.id, {row.method: [row.key] for row in answers}, {problem.answer}))
            figures[name] = figures_of(outcomes, METHODS)
        with round_.stage("evaluate") as commit, commit.timed("evaluate"):
            path = round_.evaluation / "solutions.parquet"
            write_table(path, Solution, rows)
            write_json(round_.evaluation / "figures.json", figures)
            commit.parts = [round_.part(path, len(rows)), round_.part(round_.evaluation / "figures.json")]
            commit.figures = figures | {
                name: without_problems(figures[name]) for name in ("dev", "test")
            }

    def _evaluation(self, row: Solution, number: int) -> Solution:
        values = {name: getattr(row, name) for name in Solution.__dataclass_fields__}
        return Solution(**(values | {"solution_id": row.solution_id.replace("solve", "evaluate", 1)}))

    def promote(self, number: int) -> None:
        with self.round(number).stage("promote") as commit:
            checkpoint = f"round-{number:03d}/checkpoints/solver"
            commit.figures = {
                "promoted": True,
                "checkpoint": checkpoint,
                "round": number,
                "score": 0.5,
                "reason": "dev",
            }

    def say(self, **progress: Any) -> None:
        """Write `progress.json`."""
        write_text(self.run.root / "progress.json", json.dumps(progress))


METHODS = ["cot", "pot"]
