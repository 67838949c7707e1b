"""A whole experiment around a fake model: arms share round 0, and every row carries its per-problem results."""

import contextlib
import json
from unittest.mock import patch

import pytest
from durability.fake_run import FakeServices, _from_scratch, fake_config, fake_fit
from rich.console import Console

from mmst.experiments import read_experiment, run_experiment
from mmst.progress import Reporter


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Two arms and a cut one, two seeds, a related task; run twice, so that the second call finds everything done."""
    directory = tmp_path_factory.mktemp("experiment")
    base = fake_config(directory, "rounds.max=1").model_dump()
    related = fake_config(tmp_path_factory.mktemp("related"), problems=3).problems.test
    defined = read_experiment(
        {
            "base": base,
            "seeds": [0, 1],
            "control": "plain",
            "transfer": {"problems.test": related},
            "match_pool": {"cut": "words"},
            "arms": {"plain": {"rounds.generate": False}, "words": {"methods": ["cot"]}, "cut": {}},
        }
    )
    with contextlib.ExitStack() as stack:
        for name, fake in (
            ("mmst.loop.Runtime", FakeServices),
            ("mmst.experiments.transfer.Runtime", lambda *given: FakeServices(*given, None)),
            ("mmst.stages.train._from_scratch", _from_scratch),
            ("mmst.training.train", fake_fit),
        ):
            stack.enter_context(patch(name, fake))
        report = Reporter(Console(quiet=True))
        first = run_experiment(defined, directory / "out", report)
        made = {path: path.stat().st_mtime_ns for path in (directory / "out").rglob("*.safetensors")}
        assert run_experiment(defined, directory / "out", report) == first
    assert made == {path: path.stat().st_mtime_ns for path in (directory / "out").rglob("*.safetensors")}
    return first


def test_every_arm_seed_and_method_has_a_row_with_one_result_per_problem(experiment) -> None:
    rows = [json.loads(line) for line in (experiment.directory / "results.jsonl").read_text().splitlines()]
    assert rows == experiment.rows
    assert {(row["arm"], row["seed"]) for row in rows} == {
        (arm, seed) for arm in ("round 0", "plain", "words", "cut") for seed in (0, 1)
    }
    for row in rows:
        for found in (row, row["transfer"]):
            if found is not None:
                assert len(found["right"]) == found["n"] == 4
                assert found["right"].count("1") == found["accuracy"] * 4
    assert len({row["problems"] for row in rows}) == 1
    assert {row["method"] for row in rows if row["arm"] == "words"} == {"cot"}
    assert {"cot", "pot", "vote", "weighted", "cascade", "any"} == {row["method"] for row in rows}


def test_arms_share_round_0(experiment) -> None:
    for seed in (0, 1):
        weights = [
            (experiment.directory / f"seed-{seed}" / arm / "round-000/checkpoints/solver/model.safetensors")
            .stat()
            .st_ino
            for arm in ("round-0", "plain", "words", "cut")
        ]
        assert len(set(weights)) == 1


def test_the_table_says_what_each_arm_had(experiment) -> None:
    had = {row["arm"]: row for row in experiment.tables["arms"]}
    assert (had["plain"]["samples"], had["words"]["samples"]) == ({}, {"cot": 2})
    assert had["plain"]["pool"] == [0, 0]
    assert had["cut"]["pool"] == had["words"]["pool"]
    assert had["cut"]["steps"] == [[3, 3], [3, 3]]
    page = (experiment.directory / "table.md").read_text()
    assert "| plain | none | 0 |" in page
    assert "related task" in page
    assert json.loads((experiment.directory / "table.json").read_text())["arms"] == experiment.tables["arms"]
