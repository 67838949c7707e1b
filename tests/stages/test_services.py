"""What never fits a machine is refused before anything waits for it."""

import pytest

from mmst.config.file import build_config
from mmst.errors import InputError
from mmst.stages.services import check_resources


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
        check_resources(config("split"), {"CPU": 2.0}, fixed=True)
    check_resources(config("split"), {"CPU": 3.0}, fixed=True)


def test_engine_and_trainer_in_turn_need_the_larger() -> None:
    check_resources(config("shared"), {"CPU": 2.0}, fixed=True)


def test_two_models_need_two_engines() -> None:
    tree = {"problems": {"synthetic": {}}, "methods": ["socratic"], "socratic": {"models": "two"}}
    with pytest.raises(InputError, match=r"3 CPU are asked for .* has 2"):
        check_resources(build_config(tree), {"CPU": 2.0}, fixed=True)
    check_resources(build_config({**tree, "engine": {"cpus": 0.5}}), {"CPU": 2.0}, fixed=True)


def test_a_cluster_that_may_grow_is_given_the_chance() -> None:
    check_resources(config("split"), {"CPU": 0.0}, fixed=False)
