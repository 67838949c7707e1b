"""Sub-questions through every stage of the loop, with a model that replies with the views of the data, without Ray."""

import asyncio
import re
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mmst.loop
import mmst.training
from mmst.actors.verifier import Verifier
from mmst.config import Config
from mmst.config.file import build_config
from mmst.methods.socratic import pairs_in
from mmst.problems.synthetic import SyntheticSpec, make_sets
from mmst.progress import Reporter
from mmst.records import Completion, Request, Solution, TrainingRow, Verdict
from mmst.runs.directory import RunDirectory
from mmst.runs.tables import read_table
from mmst.training import TrainingRequest, TrainingResult

SPEC = SyntheticSpec(train=12, annotated=12, dev=6, test=9, views=["socratic"], views_everywhere=["socratic"])
PROBLEMS = {p.question: p for problems in make_sets(SPEC).values() for p in problems}
GARBLED = {p.question for p in make_sets(SPEC)["test"][:3]}
"""Questions that the decomposer has nothing to ask about."""


class Knowing:
    """An engine that answers as the data does, for its own role only."""

    report: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, role: str, alone: bool) -> None:
        self.role, self.alone = role, alone

    async def complete(self, request: Request) -> Completion:
        assert self.alone or request.role == self.role
        question, *_, instruction = request.prompt.removesuffix("\n").splitlines()
        pairs = PROBLEMS[question].views["socratic"]
        if request.role == "decomposer":
            said = "Well." if question in GARBLED else "\n".join(f"Q: {asked}" for asked, _ in pairs)
        else:
            said = pairs[len(re.findall("^Q: ", request.prompt, re.MULTILINE)) - 1][1]
            said += f"\nThe answer is {PROBLEMS[question].answer}." if "problem" in instruction else ""
        return Completion(said, "stop", 5)


class Local:
    """What stages share, all in this process."""

    started: list[tuple[str, str]]

    def __init__(self, config: Config, methods: list, report: Reporter, owner: Path) -> None:
        self.alone = len(config.roles) == 1
        self.verify, self.loop = Verifier(methods, config.sandbox), asyncio.Runner()

    def __enter__(self) -> "Local":
        return self

    def __exit__(self, *error: object) -> None:
        self.verify.close()
        self.loop.close()

    def wait(self, work: Coroutine) -> Any:
        return self.loop.run(work)

    def engine(self, checkpoint: Path, role: str, settings: object) -> Knowing:
        self.started.append((role, checkpoint.name))
        return Knowing(role, self.alone)

    def verifiers(self) -> SimpleNamespace:
        async def verify(method: str, completion: Completion) -> Verdict:
            return self.verify.verify([(method, completion)])[0]

        return SimpleNamespace(verify=verify)

    def sandbox_counts(self) -> dict[str, int]:
        return {}

    def resources(self) -> dict[str, float]:
        return {}

    def cluster(self) -> None: ...

    def make_room_for_training(self) -> None: ...


def fit(request: TrainingRequest, on_step: Any) -> TrainingResult:
    request.output.mkdir(parents=True)
    (request.output / "config.json").write_text("{}")
    (request.output / "model.safetensors").write_text(str(request.role))
    return TrainingResult(1, 1, {}, [], 1, 1, 0, {}, 1.0)


@pytest.fixture(params=["one", "two"])
def run(request, tmp_path, monkeypatch) -> RunDirectory:
    monkeypatch.setattr(mmst.loop, "Runtime", Local)
    monkeypatch.setattr(mmst.training, "train", fit)
    Local.started = []
    tree = {
        "problems": {"synthetic": SPEC.model_dump()},
        "methods": ["socratic"],
        "socratic": {"models": request.param},
        "model": {"scratch": {"width": 32, "layers": 1, "heads": 1}},
        "rounds": {"max": 1},
        "sampling": {"k": 1},
    }
    mmst.loop.self_train(build_config(tree), tmp_path / request.param, Reporter())
    return RunDirectory(tmp_path / request.param)


def test_sub_questions_go_through_every_stage(run: RunDirectory) -> None:
    two = run.root.name == "two"
    assert set(Local.started) == ({("solver", "solver"), ("decomposer", "decomposer")} if two else {("solver",) * 2})
    rows = [row for path in run.round(1).part_paths("generate") for row in read_table(path, Solution)]
    by_role = {role: {row.checkpoint for row in rows if row.role == role} for role in ("decomposer", "solver")}
    assert (by_role["decomposer"] != by_role["solver"]) == two
    ended = [row for row in rows if row.status != "turn"]
    assert [row.status for row in ended] == ["ok"] * SPEC.train
    assert all(row.turn == len(pairs_in(row.text)) for row in ended)  # the decomposer's turn has number 0
    native = [row for row in read_table(run.round(1).pool, TrainingRow) if row.source == "native"]
    assert sum(row.role == "decomposer" for row in native) == SPEC.train
    assert sum(row.role == "solver" for row in native) == sum(len(pairs_in(row.text)) for row in ended)
    assert {row.solution_id for row in native} == {row.solution_id for row in ended}


def test_figures_tell_the_decomposer_from_the_solver(run: RunDirectory) -> None:
    figures = run.round(1).figures("evaluate")
    accuracy = figures["test"]["accuracy"]
    assert accuracy["socratic_reference"] == 1.0
    assert accuracy["socratic"] == accuracy["vote"] == accuracy["any"] == pytest.approx(6 / 9)
    assert figures["statuses"]["socratic"] == {"ok": 12, "no_questions": 3}
    assert figures["statuses"]["socratic_reference"] == {"ok": 15}
    steps = {PROBLEMS[question].meta["steps"] for question in PROBLEMS if PROBLEMS[question].split == "test"}
    assert {f"steps_{n}" for n in steps} <= set(figures["test"]["slices"])
