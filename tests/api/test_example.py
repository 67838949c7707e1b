"""The example script trains on a file, end to end."""

import subprocess
import sys
from pathlib import Path

import pytest

import mmst

SCRIPT = Path(__file__).parents[2] / "examples" / "self_train_on_your_file.py"


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_the_demonstration_trains_a_model_and_prints_every_round(tmp_path) -> None:
    command = [sys.executable, str(SCRIPT), "demo.jsonl", "--demo", "--run-dir", "run"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "round 0: cot " in result.stdout
    assert "round 1: cot " in result.stdout
    assert mmst.verify_run(tmp_path / "run").faults == []


def test_a_model_and_the_demonstration_exclude_each_other(tmp_path) -> None:
    for words in ([], ["--demo", "--model", "x"]):
        result = subprocess.run([sys.executable, str(SCRIPT), "p.jsonl", *words], capture_output=True, text=True)
        assert result.returncode == 2
        assert "give either --model or --demo" in result.stderr
