"""Sub-questions through the whole loop at tiny size with all real parts: one model for both roles, and two."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mmst.methods.socratic import pairs_in
from mmst.records import Solution, TrainingRow
from mmst.runs.directory import RunDirectory
from mmst.runs.tables import read_table

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MICRO = {
    "name": "micro-socratic",
    "problems": {
        "synthetic": {
            "train": 30, "annotated": 300, "dev": 20, "test": 20, "views": ["socratic"],
            "views_everywhere": ["socratic"], "steps": {1: 1.0, 2: 1.0}, "operators": ["+", "-"], "largest": 9,
            "largest_change": 5, "bound": 18, "distractors": 0, "wordings": 2,
        }
    },
    "methods": ["socratic"],
    "model": {"scratch": {"width": 64, "layers": 2, "heads": 2, "context": 160}},
    "round0": {"schedule": {"steps": 150, "learning_rate": 5e-3}},
    "rounds": {"max": 1},
    "sampling": {"k": 2, "max_tokens": 48},
    "training": {"batch": 32, "schedule": {"steps": 10, "learning_rate": 1e-3}},
    "engine": {"cpus": 0.5},
}  # fmt: skip


@pytest.fixture(scope="module", params=["one", pytest.param("two", marks=pytest.mark.long)])
def run(request, tmp_path_factory) -> RunDirectory:
    directory = tmp_path_factory.mktemp(request.param)
    config, root = directory / "micro.yaml", directory / "run"
    config.write_text(yaml.safe_dump({**MICRO, "socratic": {"models": request.param}}))
    command = [sys.executable, "-c", "from mmst.cli import main; main()", "run", str(config), "--run-dir", str(root)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=800)
    assert result.returncode == 0, result.stdout + result.stderr
    return RunDirectory(root)


def checkpoints(run: RunDirectory, number: int) -> dict[str, Path]:
    return {path.name: path for path in (run.round(number).root / "checkpoints").iterdir() if path.name != "initial"}


def test_sub_questions_are_asked_answered_kept_and_trained_on(run: RunDirectory) -> None:
    two = yaml.safe_load((run.root / "config.yaml").read_text())["socratic"]["models"] == "two"
    assert set(checkpoints(run, 1)) == ({"solver", "decomposer"} if two else {"solver"})
    rows = [row for path in run.round(1).part_paths("generate") for row in read_table(path, Solution)]
    by_role = {role: {row.checkpoint for row in rows if row.role == role} for role in ("decomposer", "solver")}
    assert all(len(names) == 1 for names in by_role.values())
    assert (by_role["decomposer"] != by_role["solver"]) == two
    ended = [row for row in rows if row.status != "turn"]
    assert len(ended) == 30 * 2
    solved = [row for row in ended if row.status == "ok"]
    assert solved
    for row in solved:
        assert row.turn == len(pairs_in(row.text))  # the decomposer's turn is number 0
    pool = [row for row in read_table(run.round(1).pool, TrainingRow) if row.source == "native"]
    assert {row.role for row in pool} == {"decomposer", "solver"}
    assert {row.solution_id for row in pool} <= {row.solution_id for row in solved}


def test_the_figures_tell_the_decomposer_from_the_solver(run: RunDirectory) -> None:
    figures = run.round(1).figures("evaluate")
    assert set(figures["test"]["accuracy"]) == {"socratic", "socratic_reference", "vote", "any"}
    assert {"steps_1", "steps_2"} <= set(figures["test"]["slices"])
    assert (
        sum(figures["statuses"]["socratic"].values()) == sum(figures["statuses"]["socratic_reference"].values()) == 40
    )
    generated = run.round(1).figures("generate")["statuses"]["socratic"]
    assert sum(generated.values()) == 60


def test_a_checkpoint_needs_no_telling(run: RunDirectory) -> None:
    """`mmst evaluate` asks it as the run did: the same accuracies on the same problems."""
    solver, test = checkpoints(run, 1)["solver"], run.problems / "test.jsonl"
    command = [sys.executable, "-c", "from mmst.cli import main; main()", "evaluate", str(solver), "--json"]
    settings = ["--problems", str(test), "--set", "sampling.max_tokens=48", "--set", "engine.cpus=0.5"]
    result = subprocess.run([*command, *settings], capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    again, before = json.loads(result.stdout), run.round(1).figures("evaluate")["test"]
    assert again["accuracy"]["socratic"] == before["accuracy"]["socratic"]
    assert again["accuracy"]["socratic_reference"] == before["accuracy"]["socratic_reference"]
