"""Arms × seeds: intervals over seeds, differences seed by seed, and arms that share round 0 or are refused."""

import json
from pathlib import Path

import pytest
import yaml

from mmst.errors import InputError
from mmst.experiment import arm_config, read_experiment, scaled_settings, sharing
from mmst.experiment.results import complements, interval, summarise, transfer_of
from mmst.experiment.tables import complement_markdown, markdown, plot

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


def row(arm: str, seed: int, accuracy: float) -> dict:
    return {"arm": arm, "seed": seed, "method": "cot", "before": 0.1, "accuracy": accuracy, "rounds": 1}


ROWS = [row("plain", 0, 0.2), row("plain", 1, 0.4), row("plain", 2, 0.3)]
ROWS += [row("one", 0, 0.5), row("one", 1, 0.7), row("one", 2, 0.6)]


def test_the_interval_is_students_over_seeds() -> None:
    mean, half = interval([0.2, 0.4, 0.3])
    assert mean == pytest.approx(0.3)
    assert half == pytest.approx(4.303 * 0.1 / 3**0.5, rel=1e-3)
    assert interval([0.2]) == (0.2, None)


def test_differences_are_taken_seed_by_seed() -> None:
    table = summarise(ROWS, "plain")
    (one,) = (line for line in table if line["arm"] == "one")
    assert one["difference"] == pytest.approx(0.3)
    assert one["difference_half_width"] == pytest.approx(0.0, abs=1e-12)
    assert "| one | cot | 3 | 60.0 ± 24.8 | +30.0 ± 0.0 |" in markdown(table)


def test_the_shared_round_0_stands_in_the_table() -> None:
    (before,) = (line for line in summarise(ROWS, "plain") if line["arm"] == "before")
    assert before["mean"] == pytest.approx(0.1)
    assert before["difference"] == pytest.approx(-0.2)


def test_scaling_multiplies_what_the_file_names(tmp_path) -> None:
    file = written(tmp_path, scaled=["problems.synthetic.train", "round0.schedule.steps"])
    expected = {"problems.synthetic.train": 12000, "round0.schedule.steps": 18}
    assert scaled_settings(read_experiment(file), file, 2.0) == expected
    file = written(tmp_path, scaled=["model.path"])
    with pytest.raises(InputError, match=r"model\.path"):
        scaled_settings(read_experiment(file), file, 2.0)


def test_the_related_task_has_a_table_of_its_own(tmp_path) -> None:
    (tmp_path / "transfer.json").write_text(
        json.dumps({"before": {"accuracy": {"cot": 0.1}}, "after": {"accuracy": {"cot": 0.3}, "n": 300}})
    )
    assert transfer_of(tmp_path) == {"cot": {"before": 0.1, "accuracy": 0.3, "n": 300}}
    assert transfer_of(tmp_path / "elsewhere") == {}


def test_what_two_methods_share_stands_beside_what_they_gain() -> None:
    phis = {"pot": {"before": {"all": 0.2, "any_solved": -0.3}, "after": {"all": 0.4, "any_solved": None}}}
    first = {**row("plain", 0, 0.3), "phi": phis}
    (pair,) = complements([first, {**row("plain", 0, 0.15), "method": "pot", "phi": {}}])
    assert pair["gains"] == pytest.approx((0.2, 0.05))
    assert "| plain | 0 | cot, pot | +0.20 | -0.30 | +0.40 | +20.0, +5.0 |" in complement_markdown([pair])


def test_one_seed_has_no_interval() -> None:
    assert "| plain | cot | 1 | 20.0 |  |" in markdown(summarise(ROWS[:1], "plain"))


def test_the_plot_is_drawn(tmp_path) -> None:
    plot(ROWS, ["plain", "one"], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_an_arm_has_its_settings_and_its_seed(tmp_path) -> None:
    file = written(tmp_path, seed_keys=["seed", "problems.synthetic.seed"])
    config = arm_config(read_experiment(file), file, "one", 7)
    assert (config.methods, config.seed, config.problems.synthetic.seed) == (["cot"], 7, 7)


def test_arms_that_cannot_share_round_zero_are_refused(tmp_path) -> None:
    file = written(tmp_path, arms={"plain": {}, "wide": {"model.scratch.width": 64}})
    with pytest.raises(InputError, match=r"arms\.wide"):
        read_experiment(file)


def test_arms_with_equal_settings_share_a_round_zero_of_their_own(tmp_path) -> None:
    two = {"methods": ["socratic"], "socratic.models": "two"}
    arms = {"plain": {}, "one": {"methods": ["cot"]}, "two": two, "again": {**two, "rounds.max": 1}}
    with pytest.raises(InputError, match=r"arms\.(two|again)"):
        read_experiment(written(tmp_path, arms=arms))
    file = written(tmp_path, arms=arms, round_zero="own")
    experiment = read_experiment(file)
    assert sharing(experiment, file, "one") == ["one", "plain"]
    assert sharing(experiment, file, "two") == ["again", "two"]


def test_methods_can_be_compared_with_one_of_the_control_and_kinds_of_problems_stand_apart() -> None:
    rows = [{**row("words", seed, 0.2), "slices": {"steps_1": 0.4, "steps_2": 0.0}} for seed in (0, 1)]
    rows += [{**row("asks", seed, 0.5), "method": "socratic", "slices": {"steps_1": 0.6}} for seed in (0, 1)]
    table = summarise(rows, "words", "cot")
    (asks,) = (line for line in table if line["arm"] == "asks")
    assert asks["difference"] == pytest.approx(0.3)
    assert "| asks | socratic | 60.0 |  |" in markdown(table)
    assert "| words | cot | 40.0 | 0.0 |" in markdown(table)


def test_a_control_that_is_no_arm_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match="nobody"):
        read_experiment(written(tmp_path, control="nobody"))


def test_the_experiments_of_the_repository_can_be_read() -> None:
    for file in (Path(__file__).parents[2] / "experiments").glob("*.yaml"):
        experiment = read_experiment(file)
        assert len(experiment.seeds) >= 3
