"""What never fits a machine is refused before anything waits for it."""

import pytest

from mmst.config.file import build_config
from mmst.engine import waiting
from mmst.engine.waiting import wait_for_resources
from mmst.errors import InputError
from mmst.progress import Reporter
from mmst.stages.services import Services, bundles_of, check_resources


def config(placement: str):
    return build_config(
        {
            "problems": {"synthetic": {}},
            "cluster": {"placement": placement, "train_workers": 2, "train_cpus": 1},
            "engine": {"cpus": 1},
        }
    )


def test_engine_and_trainer_side_by_side_need_the_sum() -> None:
    with pytest.raises(InputError, match=r"3 CPU are asked for .* has 2"):
        check_resources(config("split"), {"CPU": 2.0})
    check_resources(config("split"), {"CPU": 3.0})


def test_engine_and_trainer_in_turn_need_the_larger() -> None:
    check_resources(config("shared"), {"CPU": 2.0})


def test_two_models_need_two_engines() -> None:
    tree = {"problems": {"synthetic": {}}, "methods": ["socratic"], "socratic": {"models": "two"}}
    with pytest.raises(InputError, match=r"3 CPU are asked for .* has 2"):
        check_resources(build_config(tree), {"CPU": 2.0})
    check_resources(build_config({**tree, "engine": {"cpus": 0.5}}), {"CPU": 2.0})


def test_waiting_for_a_cluster_speaks_and_ends_when_it_has_grown(monkeypatch) -> None:
    monkeypatch.setattr(waiting, "SAY_EVERY", 0.05)
    nodes, said = iter(range(40)), []
    wait_for_resources({"CPU": 30.0, "GPU": 0.0}, lambda: {"CPU": float(next(nodes))}, None, said.append)
    assert said[0] == "waiting for resources since 0 s: 30 CPU asked for, the cluster has nothing"
    assert len(said) > 2
    assert next(nodes) == 31


def test_a_wait_that_takes_too_long_ends_with_what_was_missing() -> None:
    with pytest.raises(InputError, match=r"2 CPU, 4 GPU asked for, the cluster has 8 CPU, for \d s now \(cluster.reso"):
        wait_for_resources({"CPU": 2.0, "GPU": 4.0}, lambda: {"CPU": 8.0}, 0.0, lambda line: None)


def test_runs_of_one_name_have_engines_of_their_own_and_a_run_always_the_same(tmp_path) -> None:
    report = Reporter()
    names = [
        Services(config("split"), [], report, owner).name for owner in (tmp_path / "a", tmp_path / "b", None, None)
    ]
    assert len(set(names)) == 4
    assert Services(config("split"), [], report, tmp_path / "a").name == names[0]


def test_an_autoscaler_is_told_of_every_process() -> None:
    assert bundles_of(config("split")) == [{"CPU": 1.0}] * 3
