"""An experiment file gives every arm its settings and seed, and arms that cannot share round 0 are refused."""

from pathlib import Path

import pytest
import yaml

from mmst.errors import InputError
from mmst.experiments import read_experiment

BASE = {"problems": {"synthetic": {}}, "round0": {"schedule": {"steps": 9}, "mixture": {"cot": 1}}}


def written(directory: Path, **more) -> Path:
    (directory / "base.yaml").write_text(yaml.safe_dump(BASE))
    tree = {
        "base": "base.yaml",
        "seeds": [0, 1],
        "control": "plain",
        "arms": {"plain": {}, "one": {"methods": ["cot"]}},
    }
    file = directory / "e.yaml"
    file.write_text(yaml.safe_dump({**tree, **more}))
    return file


def test_scaling_multiplies_what_the_file_names(tmp_path) -> None:
    experiment = read_experiment(written(tmp_path, scaled=["problems.synthetic.train", "round0.schedule.steps"]), 2.0)
    config = experiment.config("one", 0)
    assert (config.problems.synthetic.train, config.round0.schedule.steps) == (12000, 18)
    with pytest.raises(InputError, match=r"model\.path"):
        read_experiment(written(tmp_path, scaled=["model.path"]), 2.0)


def test_an_arm_has_its_settings_and_its_seed(tmp_path) -> None:
    config = read_experiment(written(tmp_path, seed_keys=["seed", "problems.synthetic.seed"])).config("one", 7)
    assert (config.methods, config.seed, config.problems.synthetic.seed) == (["cot"], 7, 7)


def test_an_experiment_can_be_a_mapping_whose_base_is_relative_to_the_working_directory(tmp_path, monkeypatch) -> None:
    tree = yaml.safe_load(written(tmp_path).read_text())
    monkeypatch.chdir(tmp_path)
    assert read_experiment(tree).config("one", 0).methods == ["cot"]


def test_arms_that_cannot_share_round_zero_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"arms\.wide"):
        read_experiment(written(tmp_path, arms={"plain": {}, "wide": {"model.scratch.width": 64}}))


def test_arms_with_equal_settings_share_a_round_zero_of_their_own(tmp_path) -> None:
    two = {"methods": ["socratic"], "socratic.models": "two"}
    arms = {"plain": {}, "one": {"methods": ["cot"]}, "two": two, "again": {**two, "rounds.max": 1}}
    with pytest.raises(InputError, match=r"arms\.(two|again)"):
        read_experiment(written(tmp_path, arms=arms))
    experiment = read_experiment(written(tmp_path, arms=arms, round_zero="own"))
    assert experiment.sharing("one") == ["one", "plain"]
    assert experiment.sharing("two") == ["again", "two"]


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({"control": "nobody"}, "nobody"),
        ({"match_pool": {"one": "plain"}}, "before `one`"),
        ({"base": "nowhere.yaml"}, "nowhere.yaml: cannot be read"),
        ({"base": "."}, "cannot be read"),
    ],
)
def test_a_fault_in_the_file_is_named(tmp_path, more, part) -> None:
    with pytest.raises(InputError, match=part):
        read_experiment(written(tmp_path, **more))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"base: [", b"- 1"])
def test_a_file_that_is_no_experiment_is_one_message(tmp_path, content) -> None:
    (tmp_path / "e.yaml").write_bytes(content)
    with pytest.raises(InputError, match=r"e\.yaml"):
        read_experiment(tmp_path / "e.yaml")


def test_the_experiments_of_the_repository_can_be_read() -> None:
    for file in (Path(__file__).parents[2] / "experiments").glob("*.yaml"):
        assert len(read_experiment(file).seeds) >= 3
