"""Figures of an evaluation, against published values, brute force and definitions."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmst.evaluation import (
    Outcome,
    cascade,
    figures_of,
    mcnemar,
    paired,
    pass_at_k,
    phi,
    vote,
    weighted,
    wilson,
    without_problems,
)

METHODS = ["cot", "pot"]


def outcomes(*rows: tuple[str | None, str | None, str | None], slices: dict[int, str] | None = None) -> list[Outcome]:
    """(cot, pot, gold) of each problem."""
    new = slices or {}
    return [
        Outcome(
            f"p{n}",
            {"cot": [cot], "pot": [pot]},
            None if gold is None else {gold},
            frozenset({new[n]} if n in new else ()),
        )
        for n, (cot, pot, gold) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    # Newcombe 1998, table I, method 3 (Wilson score without continuity correction)
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_the_published_ones(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@settings(deadline=None)
@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_intervals_hold_the_share_and_stay_within_bounds(pair: tuple[int, int]) -> None:
    low, high = wilson(*pair)
    assert 0 <= low <= pair[0] / pair[1] <= high <= 1


@settings(deadline=None)  # a busy machine takes longer than the default
@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_exact_two_sided_binomial(gained: int, lost: int) -> None:
    n = gained + lost
    tail = sum(math.comb(n, k) for k in range(min(gained, lost) + 1)) / 2**n
    assert mcnemar(gained, lost) == pytest.approx(min(1.0, 2 * tail), rel=1e-9)


def test_mcnemar_of_many_problems_neither_overflows_nor_takes_long() -> None:
    assert mcnemar(50_000, 50_000) == 1.0
    assert 0 <= mcnemar(60_000, 40_000) < 1e-300 or mcnemar(60_000, 40_000) == 0.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60))
def test_phi_is_the_correlation_of_successes(pairs: list[tuple[bool, bool]]) -> None:
    cells = [pairs.count(cell) for cell in itertools.product([True, False], repeat=2)]
    result = phi(*cells)
    first, second = zip(*pairs, strict=True)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert result is None
        return
    mean = [sum(values) / len(pairs) for values in (first, second)]
    covariance = sum((a - mean[0]) * (b - mean[1]) for a, b in pairs)
    spread = math.sqrt(math.prod(len(pairs) * m * (1 - m) for m in mean))
    assert result == pytest.approx(covariance / spread)


def test_the_majority_decides_and_dev_accuracy_between_equals() -> None:
    answers = {"cot": ["7"], "pot": ["8"], "eot": ["7"]}
    assert vote(answers, {"pot": 1.0}).key == "7"
    assert vote({"cot": ["7"], "pot": ["8"]}, {"cot": 0.5, "pot": 0.9}).key == "8"
    assert vote({"cot": ["7"], "pot": ["8"]}, {}).key == "7"
    assert vote({"cot": ["7"], "pot": [None]}, {"pot": 0.9}).key == "7"
    assert vote({"cot": [None], "pot": [None]}, {}).key is None


def test_a_vote_counts_every_sample_and_says_how_many_agree() -> None:
    choice = vote({"cot": ["7", "7", None], "pot": ["8", "7"]}, {})
    assert (choice.key, choice.support, choice.samples) == ("7", 3, 4)


def test_a_weighted_vote_believes_the_method_that_is_right_more_often() -> None:
    answers = {"cot": ["7"], "eot": ["7"], "pot": ["8"]}
    assert weighted(answers, {"cot": 0.2, "eot": 0.2, "pot": 0.9}).key == "8"
    assert weighted(answers, {"cot": 0.5, "eot": 0.5, "pot": 0.9}).key == "7"


def test_a_cascade_falls_through_what_failed() -> None:
    answers = {"cot": ["7"], "eot": ["9"], "pot": [None]}
    assert cascade(answers, ["pot", "eot", "cot"]).key == "9"
    assert cascade(answers, ["pot", "cot", "eot"]).key == "7"
    assert cascade({"pot": [None]}, ["pot"]).key is None


def test_every_way_to_combine_methods_is_reported() -> None:
    outcome = Outcome("a", {"cot": ["7", "8"], "pot": ["8", "8"]}, {"8"})
    trusted = figures_of([outcome], METHODS, {"cot": 0.9, "pot": 0.1}, ["cot", "pot"])["ensembles"]["accuracy"]
    assert trusted == {"vote": 1.0, "weighted": 1.0, "cascade": 0.0}


def test_accuracies_votes_and_slices() -> None:
    rows = outcomes(
        ("7", "7", "7"), ("7", "8", "8"), ("1", None, "1"), (None, "2", "3"), ("4", "5", "6"),
        slices={0: "new_numbers", 1: "new_numbers", 4: "new_phrasing"},
    )  # fmt: skip
    figures = figures_of(rows, METHODS, {"cot": 0.1, "pot": 0.9})
    assert figures["n"] == 5
    assert figures["accuracy"] == {"cot": 0.4, "pot": 0.4, "vote": 0.6, "any": 0.6}
    assert figures["intervals"]["vote"] == wilson(3, 5)
    assert figures["slices"]["new_numbers"]["n"] == 2
    assert figures["slices"]["new_numbers"]["accuracy"] == {"cot": 0.5, "pot": 1.0, "vote": 1.0, "any": 1.0}
    assert figures["slices"]["new_phrasing"]["accuracy"]["any"] == 0.0
    assert figures["agreement"]["share"] == 0.2
    assert figures["agreement"]["precision"] == 1.0
    assert figures["right"]["cot"] == ["p0", "p2"]
    assert figures["right"]["vote"] == ["p0", "p1", "p2"]
    assert "pass@k" not in figures


def test_test_votes_trust_the_dev_accuracy_and_not_their_own() -> None:
    rows = outcomes(("7", "8", "7"), ("7", "8", "7"))
    assert figures_of(rows, METHODS, {"cot": 0.1, "pot": 0.9})["accuracy"]["vote"] == 0.0
    assert figures_of(rows, METHODS)["accuracy"]["vote"] == 1.0


def test_answers_that_the_data_helped_with_have_no_vote_and_count_where_there_was_help() -> None:
    helped = [
        Outcome("a", {"cot": ["1"], "pot": ["2"]}, {"1"}, frozenset({"short"}), aside={"pot_reference": "1"}),
        Outcome("b", {"cot": ["1"], "pot": ["1"]}, {"1"}, frozenset({"short"}), aside={"pot_reference": None}),
        Outcome("c", {"cot": ["1"], "pot": ["2"]}, {"2"}, frozenset({"long"})),
    ]
    figures = figures_of(helped, METHODS, {"cot": 0.1, "pot": 0.9})
    assert figures["accuracy"]["pot_reference"] == 0.5
    assert figures["intervals"]["pot_reference"] == wilson(1, 2)
    assert figures["accuracy"]["vote"] == pytest.approx(2 / 3)
    assert "pot_reference" not in figures["slices"]["long"]["accuracy"]
    assert figures["right"]["pot_reference"] == ["a"]


def test_without_reference_answers_only_agreement_is_known() -> None:
    figures = figures_of(outcomes(("7", "7", None), ("7", "8", None), (None, None, None)), METHODS)
    assert figures["accuracy"] is None
    assert (figures["n"], figures["answered"]) == (3, 0)
    assert figures["agreement"]["share"] == pytest.approx(1 / 3)
    assert figures["agreement"]["precision"] is None


def test_problems_without_a_reference_answer_do_not_count_as_wrong() -> None:
    figures = figures_of(outcomes(("7", "7", "7"), ("7", "8", None)), METHODS)
    assert figures["accuracy"]["cot"] == 1.0
    assert (figures["n"], figures["answered"]) == (2, 1)


def test_phi_is_negative_by_construction_where_at_least_one_solved() -> None:
    rows = outcomes(
        *[("1", "1", "1")] * 4, *[("1", "0", "1")] * 2, *[("0", "1", "1")] * 2, *[("0", "0", "1")] * 4
    )  # fmt: skip
    figures = figures_of(rows, METHODS)["phi"]["cot-pot"]
    assert figures["all"] == pytest.approx(1 / 3)
    assert figures["any_solved"] == pytest.approx(-1 / 3)


def test_rounds_are_compared_problem_by_problem() -> None:
    result = paired({"cot": ["a", "b"]}, {"cot": ["b", "c", "d"], "pot": ["a"]})
    assert result == {"cot": {"gained": 2, "lost": 1, "p": 1.0}}


def test_figures_go_to_json() -> None:
    import json

    figures = figures_of(outcomes(("7", "7", "7"), slices={0: "new_numbers"}), METHODS)
    assert json.loads(json.dumps(figures))["accuracy"]["cot"] == 1.0


def test_the_problems_that_each_method_and_ensemble_solved_are_listed_in_order() -> None:
    rows = outcomes(*[("1", "1", "1")] * 11, ("7", "8", "8"), ("7", "8", None))
    figures = figures_of(rows, METHODS, {"cot": 0.1, "pot": 0.9}, ["cot", "pot"])
    ids = [f"p{n}" for n in range(12)]
    assert figures["problem_ids"] == ids
    assert figures["right"] == {
        "cot": ids[:11], "pot": ids, "vote": ids, "weighted": ids, "cascade": ids[:11], "any": ids
    }  # fmt: skip
    assert {"problem_ids", "right"} <= set(figures) - set(without_problems(figures))


def test_pass_at_k_is_the_share_of_all_draws_that_hold_a_right_sample() -> None:
    for n, right in itertools.product(range(1, 7), range(7)):
        if right <= n:
            for k in range(1, n + 1):
                draws = list(itertools.combinations([1] * right + [0] * (n - right), k))
                assert pass_at_k(n, right, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_several_samples_are_reported_as_pass_at_k_and_maj_at_k() -> None:
    rows = [
        Outcome("a", {"cot": ["7", "7", "8"], "pot": ["9", None, "8"]}, {"8"}),
        Outcome("b", {"cot": ["1", "2", "1"], "pot": ["1", "1", "1"]}, {"1"}),
    ]
    figures = figures_of(rows, METHODS)
    assert figures["pass@k"]["cot"] == {"1": pytest.approx(0.5), "2": pytest.approx((2 / 3 + 1) / 2), "3": 1.0}
    assert figures["pass@k"]["any"]["1"] == pytest.approx((1 - 4 / 9 + 1) / 2)
    assert figures["maj@k"] == {"cot": {"3": 0.5}, "pot": {"3": 0.5}}
    assert figures["accuracy"]["any"] == 0.5
