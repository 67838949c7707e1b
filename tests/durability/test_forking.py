"""Which settings may change when a run is resumed, and how to continue with others."""

import json

import pytest
from fake_run import content, fake_config, fake_run

from mmst.errors import InputError
from mmst.runs.audit import verify_run
from mmst.runs.opening import check_resumable, fork, fork_once


def test_what_may_change_is_taken_and_recorded(run, finished) -> None:
    config = fake_config(finished[1].parent, "rounds.max=3", "cluster.verifiers=2")
    assert fake_run(config, run.root) == "all 3 rounds are done"
    (resumed,) = json.loads((run.root / "run.json").read_text())["resumed"]
    assert resumed["changed"] == {"rounds.max": [2, 3], "cluster.verifiers": [None, 2]}
    assert verify_run(run.root)[0] == []


def test_what_makes_another_run_is_refused_with_the_difference_and_the_ways_out(run, finished) -> None:
    config = fake_config(finished[1].parent, "seed=7", "engine.dtype=bfloat16", "rounds.max=3")
    with pytest.raises(InputError) as caught:
        check_resumable(run.root, config)
    text = str(caught.value)
    assert "seed: 0 -> 7" in text
    assert "engine.dtype: 'auto' -> 'bfloat16'" in text
    assert "rounds.max" not in text
    assert "another --run-dir" in text
    assert "old settings" in text
    assert f"--fork {run.root} --from-round N" in text


def test_a_fork_goes_on_from_a_round_with_other_settings(finished, tmp_path) -> None:
    _, source = finished
    before = content(source)
    config = fake_config(source.parent, "sampling.k=1", "methods=[cot]")
    fork_once(source, tmp_path / "new", config, 1)
    fake_run(config, tmp_path / "new")
    fork_once(source, tmp_path / "new", config, 1)  # the same command resumes
    after = content(tmp_path / "new")
    assert {name: after[name] for name in after if not name.startswith("round-002")} == {
        name: before[name] for name in before if not name.startswith("round-002")
    }
    assert verify_run(tmp_path / "new")[0] == []
    assert content(source) == before


def test_a_fork_that_cannot_fit_is_refused(finished, tmp_path) -> None:
    config, source = finished
    with pytest.raises(InputError, match=r"round 9 is not finished; --from-round may be one of \[0, 1, 2\]"):
        fork(source, tmp_path / "new", config, 9)
    with pytest.raises(InputError, match=r"problems.limit: None -> 3"):
        fork(source, tmp_path / "new", fake_config(source.parent, "problems.limit=3"), 1)
    with pytest.raises(InputError, match="is not empty"):
        fork(source, source, config, 1)
