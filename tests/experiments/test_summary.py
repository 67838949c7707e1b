"""Bootstrap intervals, McNemar tests and tables are right on made-up results."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from mmst.experiments.results import bits
from mmst.experiments.summary import complements, had, interval, on_related_task, pairs, summarise
from mmst.experiments.tables import markdown, page, plot


def row(arm: str, seed: int, right: str, method: str = "cot", **more) -> dict:
    accuracy = right.count("1") / len(right)
    sizes = {"n": len(right), "problems": f"hash-{seed}-{len(right)}", "slices": {}, "transfer": None, "phi": {}}
    arm_had = {"samples": {"cot": 2}, "pool": 10 + seed, "views": 5, "steps": [9, 3]}
    base = {"arm": arm, "seed": seed, "method": method, "before": 0.1, "accuracy": accuracy, "right": right}
    return {**base, "rounds": 1, **sizes, **arm_had, **more}


ROWS = [row("plain", 0, "1100000000"), row("plain", 1, "1111000000"), row("plain", 2, "1110000000")]
ROWS += [row("one", 0, "1111100000"), row("one", 1, "1111111000"), row("one", 2, "1111110000")]


def one_by_one(values: list[np.ndarray], resamples: int = 10_000) -> tuple[float, float]:
    """The hierarchical bootstrap as it is defined, drawing every seed and every problem by its index."""
    random = np.random.default_rng(1)
    means = []
    for _ in range(resamples):
        seeds = random.integers(len(values), size=len(values))
        means.append(np.mean([values[s][random.integers(len(values[s]), size=len(values[s]))].mean() for s in seeds]))
    return tuple(np.quantile(means, (0.025, 0.975)))


def test_with_one_seed_the_interval_is_that_of_a_share() -> None:
    low, high = interval([np.array([1] * 400 + [0] * 600)])
    half = norm.ppf(0.975) * (0.4 * 0.6 / 1000) ** 0.5
    assert (low, high) == pytest.approx((0.4 - half, 0.4 + half), abs=0.003)


def test_the_interval_equals_that_of_drawing_seeds_and_problems_one_by_one() -> None:
    random = np.random.default_rng(7)
    values = [random.choice([-1, 0, 1], p=p, size=n) for p, n in (((0.1, 0.5, 0.4), 80), ((0.2, 0.6, 0.2), 50))]
    assert interval(values) == pytest.approx(one_by_one(values), abs=0.01)


def test_an_interval_is_the_same_every_time_and_empty_where_nothing_varies() -> None:
    values = [np.array([0, 1, 1]), np.array([1, 0, 0])]
    assert interval(values) == interval(values)
    assert interval([np.ones(5), np.ones(5)]) == (1.0, 1.0)


def test_differences_are_paired_by_seed_and_problem() -> None:
    """Every seed gains three problems of ten; levels differ between seeds, differences do not."""
    (one,) = (line for line in summarise(ROWS, "plain") if line["arm"] == "one")
    assert one["mean"] == pytest.approx(0.6)
    assert one["difference"] == pytest.approx(0.3)
    low, high = one["difference_interval"]
    assert low == pytest.approx(0.3 - 1.96 * (0.21 / 30) ** 0.5, abs=0.04)
    assert high == pytest.approx(0.3 + 1.96 * (0.21 / 30) ** 0.5, abs=0.04)
    assert one["interval"][1] - one["interval"][0] > high - low
    text = markdown(summarise(ROWS, "plain"))
    assert "| one | cot | 60.0 [" in text
    assert "| 10 × 3 |" in text


def test_arms_with_other_test_problems_are_not_paired() -> None:
    other = [{**row("one", 0, "11111"), "problems": "others"}]
    (one,) = (line for line in summarise([*ROWS[:1], *other], "plain") if line["arm"] == "one")
    assert one["difference"] is None
    assert pairs([*ROWS[:1], *other]) == []


def test_the_test_between_two_arms_is_exact_and_pooled_over_seeds() -> None:
    first = [row("a", 0, "1" * 9 + "0" * 11), row("a", 1, "1" * 5 + "0" * 15)]
    second = [row("b", 0, "1" * 3 + "0" * 15 + "11"), row("b", 1, "1" * 4 + "0" * 16)]
    (pair,) = pairs([*first, *second])
    assert (pair["only_first"], pair["only_second"], pair["seeds"]) == (6 + 1, 2, 2)
    assert pair["p"] == pytest.approx(binomtest(2, 9, 0.5).pvalue)
    assert "7 / 2, p = 0.18" in page({"test": [], "arms": [], "pairs": [pair], "transfer": [], "phi": []}, "a")


def test_methods_can_be_compared_with_one_of_the_control_and_kinds_of_problems_stand_apart() -> None:
    rows = [row("words", s, "10000", slices={"steps_1": 0.4, "steps_2": 0.0}) for s in (0, 1)]
    rows += [row("asks", s, "11100", "socratic", slices={"steps_1": 0.6, "steps_2": None}) for s in (0, 1)]
    table = summarise(rows, "words", "cot")
    (asks,) = (line for line in table if line["arm"] == "asks")
    assert asks["difference"] == pytest.approx(0.4)
    shown = page({"test": table, "arms": had(rows), "pairs": [], "transfer": [], "phi": []}, "words")
    assert "| asks | socratic | 60.0 |  |" in shown
    assert "| words | cot | 40.0 | 0.0 |" in shown


def test_what_each_arm_had_is_told_per_seed_where_seeds_differ() -> None:
    shown = page({"test": [], "arms": had(ROWS), "pairs": [], "transfer": [], "phi": []}, "plain")
    assert "| plain | 2 cot | 10; 11; 12 | 5 | 9 + 3 |" in shown


def test_the_related_task_has_figures_of_its_own() -> None:
    related = {"n": 5, "problems": "r", "accuracy": 0.4, "right": "11000"}
    (only,) = on_related_task([{**ROWS[0], "transfer": related}, ROWS[1]])
    assert (only["accuracy"], only["right"], only["slices"]) == (0.4, "11000", {})


def test_what_two_methods_share_stands_beside_what_they_gain() -> None:
    phis = {"pot": {"before": {"all": 0.2, "any_solved": -0.3}, "after": {"all": 0.4, "any_solved": None}}}
    first = row("plain", 0, "1110000000", phi=phis)
    (pair,) = complements([first, row("plain", 0, "11" + "0" * 8, "pot")])
    assert pair["gains"] == pytest.approx((0.2, 0.1))
    shown = page({"test": [], "arms": [], "pairs": [], "transfer": [], "phi": [pair]}, "plain")
    assert "| plain | 0 | cot, pot | +0.20 | +0.40 | +20.0, +10.0 |" in shown


def test_correctness_is_one_character_per_problem_and_unknown_where_only_some_were_tried() -> None:
    assert bits(["c", "a"], ["a", "b", "c", "d"], 0.5) == "1010"
    assert bits(["c", "a"], ["a", "b", "c", "d"], 1.0) is None
    (line,) = summarise([{**ROWS[0], "right": None}], "plain")
    assert (line["mean"], line["interval"]) == (0.2, None)


def test_the_plot_is_drawn(tmp_path) -> None:
    plot(ROWS, ["plain", "one"], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
