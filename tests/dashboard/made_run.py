"""A run written by the loop's own writers, with rows chosen for the tests."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmst.config.file import build_config, dump_config
from mmst.evaluation import Outcome, figures_of
from mmst.evaluation.figures import without_problems
from mmst.files import append_line, checksum, write_json, write_text
from mmst.problems.read import write_problems
from mmst.records import FilterDecision, Problem, Solution
from mmst.runs.directory import Commit, RoundDirectory, RunDirectory
from mmst.runs.lock import held
from mmst.runs.opening import circumstances
from mmst.runs.tables import write_table

SCRIPT = "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title='taken over'\">"
ANSI = "\x1b[31mred\x1b[0m\x1b]0;a title\x07 \x1b[2J and \u202eturned round"
PROBLEMS = 12
METHODS = ["cot", "pot"]
TREE: dict[str, Any] = {
    "name": "made",
    "problems": {"train": "train.jsonl"},
    "model": {"path": "some/model"},
    "rounds": {"max": 2},
}


class MadeRun:
    """A run directory that grows by calls, in the order of the loop."""

    def __init__(self, root: Path) -> None:
        self.run = RunDirectory(root)
        self.config = build_config(TREE)
        root.mkdir(parents=True)
        write_text(root / "config.yaml", dump_config(self.config))
        write_json(root / "run.json", circumstances(self.config))
        (root / "problems").mkdir()
        self.problems = {name: _problems(name) for name in ("train", "dev", "test", "annotated")}
        parts = []
        for name, problems in self.problems.items():
            path = root / "problems" / f"{name}.jsonl"
            write_problems(path, problems)
            parts.append({"path": path.name, "rows": len(problems), "checksum": checksum(path)})
        write_json(root / "problems" / "manifest.json", {"parts": parts, "removed": {}})

    def hold(self) -> contextlib.ExitStack:
        """Hold the lock, like a process that works on the run; closing the result releases it."""
        stack = contextlib.ExitStack()
        stack.enter_context(held(self.run.root))
        return stack

    def finish_round(self, number: int) -> None:
        """Write a whole round."""
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
            self.native = [_solution(number, p, method) for p in self.problems["train"] for method in METHODS]
            _write_solutions(round_, round_.solutions / "part-00000.parquet", self.native, commit)
            statuses = {m: Counter(row.status for row in self.native if row.method == m) for m in METHODS}
            count = len(self.native)
            commit.figures = {"problems": PROBLEMS, "solutions": count, "tokens": 7 * count, "statuses": statuses}

    def filter(self, number: int) -> None:
        round_ = self.round(number)
        labels = {"gold": PROBLEMS - 2, "agreement": 2, "agreement_right": 1, "agreement_wrong": 1}
        with round_.stage("filter") as commit:
            _write_decisions(round_, round_.decisions, self.native, commit)
            commit.figures |= {"labels": labels}

    def rationalize(self, number: int) -> None:
        """One solution that was generated with the answer given, and kept. `finish_round` leaves it out."""
        round_, problem = self.round(number), self.problems["train"][1]
        row = replace(_solution(2, problem, "cot"), solution_id=f"hint-{number}/{problem.id}/cot/0", round=number)
        with round_.stage("rationalize") as commit:
            _write_solutions(round_, round_.rationalizations / "part-00000.parquet", [row], commit)
            _write_decisions(round_, round_.rationalizations / "decisions.parquet", [row], commit)

    def translate(self, number: int) -> None:
        round_ = self.round(number)
        origin = next(row for row in self.native if row.method == "pot" and row.status == "ok")
        ids = {"solution_id": f"{origin.solution_id}>cot", "origin_id": origin.solution_id}
        row = replace(origin, **ids, method="cot", role="translator", text="0 + 1 = 1")
        with round_.stage("translate") as commit, commit.timed("translate"):
            _write_solutions(round_, round_.translations / "part-00000.parquet", [row], commit)
            _write_decisions(round_, round_.translations / "decisions.parquet", [row], commit)
            commit.figures |= {"translations": 1}

    def train(self, number: int) -> None:
        with self.round(number).stage("train") as commit:
            rows = {"cot view": 5, "cot native": 3 * number, "pot native": 4 * number, "cot translated": number}
            commit.figures = {"rows": rows, "steps": 40, "tokens_per_second": 1234.5, "restarts": 0, "left_out": {}}
        for step in range(1, 41):
            point = {"step": step, "loss": 3.0 / step, "tokens": 100, "seconds": 0.1}
            append_line(self.run.metrics, {"round": number, "stage": "train", "role": "solver", **point})

    def evaluate(self, number: int) -> None:
        round_ = self.round(number)
        rows: list[Solution] = []
        figures: dict[str, Any] = {}
        for name in ("dev", "test"):
            outcomes = []
            for problem in self.problems[name]:
                answers = [_solution(number, problem, method, "evaluate") for method in METHODS]
                rows += answers
                given = {row.method: (row.key,) for row in answers}
                outcomes.append(Outcome(problem.id, given, {problem.answer}))
            figures[name] = figures_of(outcomes, METHODS)
        with round_.stage("evaluate") as commit, commit.timed("evaluate"):
            path = round_.evaluation / "solutions.parquet"
            write_table(path, Solution, rows)
            write_json(round_.evaluation / "figures.json", figures)
            commit.parts = [round_.part(path, len(rows)), round_.part(round_.evaluation / "figures.json")]
            commit.figures = {name: without_problems(part) for name, part in figures.items()}

    def promote(self, number: int) -> None:
        checkpoint = f"round-{number:03d}/checkpoints/solver"
        with self.round(number).stage("promote") as commit:
            figures = {"promoted": True, "checkpoint": checkpoint, "round": number, "score": 0.5, "reason": "dev"}
            commit.figures = figures

    def say(self, **progress: Any) -> None:
        """Write `progress.json`."""
        write_text(self.run.root / "progress.json", json.dumps(progress))


def _problems(name: str) -> list[Problem]:
    questions = {i: f"What is {i} + 1? ({name})" for i in range(PROBLEMS if name != "annotated" else 0)}
    return [
        Problem(id=f"{name}/{i}", question=question, answer=str(i + 1), meta={"steps": i % 3 + 1})
        for i, question in questions.items()
    ]


def _solution(number: int, problem: Problem, method: str, purpose: str = "solve") -> Solution:
    """Programs fail on problems 3, 4 and 5; rationales are wrong on odd problems before round 2."""
    index = int(problem.id.partition("/")[2])
    status = {3: "timeout", 4: "timeout", 5: "forbidden"}.get(index, "ok") if method == "pot" else "ok"
    right = index % 2 == 0 or number > 1 or method == "pot"
    answer = str(index + 1 if right else index) if status == "ok" else None
    texts = {0: SCRIPT, 1: "x" * 1_000_000, 2: ANSI, 3: "while True:\n    pass", 5: "lone \ud800 surrogate"}
    return Solution(
        solution_id=f"{purpose}-{number}/{problem.id}/{method}/0",
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


def _write_solutions(round_: RoundDirectory, path: Path, rows: list[Solution], commit: Commit) -> None:
    write_table(path, Solution, rows)
    write_json(path.with_suffix(".json"), {"rows": len(rows), "checksum": checksum(path)})
    commit.parts.append(round_.part(path, len(rows)))


def _write_decisions(round_: RoundDirectory, path: Path, rows: list[Solution], commit: Commit) -> None:
    decisions = [_decision(row) for row in rows]
    write_table(path, FilterDecision, decisions)
    commit.parts.append(round_.part(path, len(decisions)))
    kept = [decision for decision in decisions if decision.kept]
    commit.figures = {
        "solutions": len(decisions),
        "kept": len(kept),
        "kept_by_method": {m: sum(decision.method == m for decision in kept) for m in METHODS},
        "problems_with_kept": len({decision.problem_id for decision in kept}),
        "reasons": Counter(decision.reason for decision in decisions),
    }


def _decision(row: Solution) -> FilterDecision:
    label = str(int(row.problem_id.partition("/")[2]) + 1)
    reason = f"not_ok:{row.status}" if row.status != "ok" else "kept" if row.key == label else "wrong"
    kept = reason == "kept"
    return FilterDecision(row.solution_id, row.problem_id, row.method, label, label, "gold", 0.5, kept, reason)
