"""A run that is killed at any moment and resumed equals the undisturbed run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mmst.files import append_line
from mmst.runs.directory import RunDirectory
from mmst.runs.opening import tidy
from mmst.runs.status import round_status

KILL_POINTS = Path(__file__).with_name("kill_points.py")


every = pytest.param("--every", marks=[pytest.mark.long, pytest.mark.timeout(3600)])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", ["--kills=6", every])
def test_kills_before_any_touch_of_a_file_lose_and_double_nothing(tmp_path, kills) -> None:
    command = [sys.executable, str(KILL_POINTS), str(tmp_path), kills, "--seed", "6"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    tally = json.loads(result.stdout)
    assert tally["kills"] == (6 if kills == "--kills=6" else tally["touches"])
    assert tally["faulty"] == tally["broken"] == tally["different"] == 0


def test_lost_and_broken_views_are_made_again(run) -> None:
    rounds, metrics = (run.root / "rounds.jsonl").read_text(), run.metrics.read_text()
    (run.root / "rounds.jsonl").unlink()
    summaries = [line for line in metrics.splitlines() if '"spent"' in line]
    run.metrics.write_text(metrics.replace(summaries[3] + "\n", "") + summaries[0][:20])
    tidy(run)
    assert (run.root / "rounds.jsonl").read_text() == rounds
    assert sorted(run.metrics.read_text().splitlines()) == sorted(metrics.splitlines())


def test_what_a_stage_told_that_is_done_again_is_forgotten(tmp_path) -> None:
    run = RunDirectory(tmp_path)
    for stage in ("train", "evaluate"):
        with run.round(0).stage(stage) as commit:
            commit.figures = {"loss": 1.5}
    append_line(run.metrics, {"round": 1, "stage": "train", "step": 1, "loss": 2.0})
    tidy(run)
    assert [json.loads(line)["stage"] for line in run.metrics.read_text().splitlines()] == ["train", "evaluate"]


def test_what_was_half_written_is_removed(run) -> None:
    half = run.root / "round-002" / ".pool.parquet.abc123.partial"
    half.write_bytes(b"PAR1")
    checkpoint = run.root / "round-002" / "checkpoints" / ".solver.partial"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}")
    before = [round_status(round_) for round_ in run.rounds()]
    tidy(run)
    assert not half.exists()
    assert not checkpoint.exists()
    assert [round_status(round_) for round_ in run.rounds()] == before
