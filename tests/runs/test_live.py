"""`progress.json` describes the running stage."""

import json
import time
from io import StringIO

import pytest
from rich.console import Console

from mmst.progress import Reporter
from mmst.runs.live import PROGRESS, Live, read_progress


@pytest.fixture
def clock(monkeypatch):
    """The time, moved by hand."""
    now = [1000.0]
    monkeypatch.setattr("mmst.progress.time.monotonic", lambda: now[0])
    return now


def reporter(root, resources=dict) -> Reporter:
    report = Reporter(Console(file=StringIO()))
    report.live = Live(root, resources)
    return report


def test_a_bar_says_how_far_it_is_and_how_fast_it_was_lately(tmp_path, clock) -> None:
    report = reporter(tmp_path, lambda: {"replicas": 2})
    report.live.stage(3, "generate")
    with report.bar("solving", 900, "solutions") as bar:
        for _ in range(100):
            clock[0] += 1.0
            bar.advance(2, 50)
        clock[0] += 1.0
        bar.advance(0)
        state = read_progress(tmp_path)
    assert (state["round"], state["stage"], state["done"], state["total"]) == (3, "generate", 200, 900)
    assert state["per_second"] == pytest.approx(2 * 28 / 29, rel=0.01)
    assert state["tokens_per_second"] == pytest.approx(50 * 28 / 29, rel=0.01)
    assert state["resources"] == {"replicas": 2}


def test_the_file_is_written_at_most_once_a_second_and_at_the_end(tmp_path, clock) -> None:
    report = reporter(tmp_path)
    report.live.stage(1, "evaluate")
    written = []
    with report.bar("evaluating", 5000, "solutions") as bar:
        for _ in range(5000):
            clock[0] += 0.001
            bar.advance(1)
            written.append((tmp_path / PROGRESS).stat().st_ino)
        assert read_progress(tmp_path)["done"] < 5000
    assert len(set(written)) <= 6
    assert read_progress(tmp_path)["done"] == 5000


def test_following_costs_a_run_next_to_nothing(tmp_path) -> None:
    """20 µs per solution; making one takes a hundred times as long on the smallest model."""
    report = reporter(tmp_path)
    began = time.process_time()
    with report.bar("solving", 100_000, "solutions") as bar:
        for _ in range(100_000):
            bar.advance(1, 20)
    assert (time.process_time() - began) / 100_000 < 20e-6


def test_progress_of_an_earlier_start_is_gone_before_the_next_stage(tmp_path) -> None:
    (tmp_path / PROGRESS).write_text(json.dumps({"stage": "train", "done": 7}))
    Live(tmp_path, dict)
    assert read_progress(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"done": 1}', "null"])
def test_what_is_no_progress_counts_as_none(tmp_path, text) -> None:
    (tmp_path / PROGRESS).write_text(text)
    assert read_progress(tmp_path) is None
