"""Labels, filtering, caps, balance and translation plans: every decision has a reason and is independent of order."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from mmst.config import AgreementConfig, FilterConfig, TranslateConfig
from mmst.methods import METHODS
from mmst.records import FilterDecision, Solution
from mmst.selection import Label, SolutionFilter, label_problem, matches, over_balance, plan_translations, tally
from mmst.selection.labels import merged
from mmst.verify.answers import Comparison, read_answer

GOLD = Label("7", "7", "gold", 1.0)
SEVEN = read_answer("7")
AGREEMENT = FilterConfig(label="agreement")


def solution(
    method: str = "cot",
    key: str | None = "7",
    sample: int = 0,
    text: str | None = None,
    problem: str = "p",
    round_: int = 1,
    origin: str | None = None,
) -> Solution:
    """A verified solution that gives `key`; without one it could not be read. Texts differ unless given."""
    name = f"{problem}/{round_}/{method}/{sample}" + (f"<{origin}" if origin else "")
    return Solution(
        solution_id=name, problem_id=problem, round=round_, method=method, sample=sample, origin_id=origin,
        checkpoint="c", seed=0, prompt="", text=name if text is None else text, finish_reason="stop", tokens=1,
        status="no_answer" if key is None else "ok", answer=key, key=key,
    )  # fmt: skip


def samples(**keys: str) -> list[Solution]:
    """`samples(cot="7 7 8")`: what each method answered, `-` for nothing."""
    return [
        solution(method, None if key == "-" else key, number)
        for method, given in keys.items()
        for number, key in enumerate(given.split())
    ]


def solution_filter(**settings: object) -> SolutionFilter:
    return SolutionFilter(FilterConfig(**settings))  # type: ignore[arg-type]


def why(solution_filter: SolutionFilter, solutions: list[Solution], label: Label = GOLD) -> list[str]:
    return [decision.reason for decision in solution_filter.decide(solutions, label)]


def test_a_reference_answer_is_the_label_whatever_was_answered() -> None:
    label = label_problem(samples(cot="8 8", pot="8 -"), SEVEN, FilterConfig(), 1)
    assert (label.key, label.source, label.support) == ("7", "gold", 0.0)
    assert label_problem(samples(cot="7"), None, FilterConfig(), 1).key is None


@pytest.mark.parametrize(
    ("answers", "key", "support"),
    [
        ({"cot": "7 7 8", "pot": "7 9"}, None, 0.0),  # pot has no plurality
        ({"cot": "7 7 8", "pot": "7 7 9"}, "7", 4 / 6),
        ({"cot": "7 7 7 7", "pot": "8 8"}, None, 0.0),  # one method each
        ({"cot": "7 7", "pot": "7 8 8"}, None, 0.0),  # samples agree, methods don't
        ({"cot": "7 -", "pot": "- 7"}, "7", 0.5),  # a sample without an answer counts against the others
        ({"cot": "7 - -", "pot": "7 - -"}, None, 0.0),  # 2 of 6
        ({"cot": "7 7 8 9", "pot": "7 5 6 7"}, "7", 0.5),
        ({"cot": "7 7 8 9", "pot": "7 4 5 6 7"}, None, 0.0),  # 4 of 9
        ({"cot": "7", "pot": "8", "eot": "8"}, "8", 2 / 3),
        ({"cot": "7 7", "pot": "7 7", "eot": "8 8", "prefix": "8 8"}, None, 0.0),  # a tie of methods
        ({"cot": "-", "pot": "-"}, None, 0.0),
    ],
)
def test_agreement_counts_methods_and_samples(answers: dict[str, str], key: str | None, support: float) -> None:
    label = label_problem(samples(**answers), None, AGREEMENT, 1)
    assert (label.key, label.support) == (key, pytest.approx(support))
    assert label.source == (key and "agreement")


def test_agreement_never_looks_at_the_reference_answer() -> None:
    solutions = samples(cot="8 8", pot="8 8")
    assert label_problem(solutions, SEVEN, AGREEMENT, 1).key == "8"
    both = FilterConfig(label="gold_or_agreement")
    assert label_problem(solutions, SEVEN, both, 1).source == "gold"
    assert label_problem(solutions, None, both, 1).source == "agreement"


def test_one_readable_sample_beside_failures_is_no_label() -> None:
    alone = FilterConfig(label="agreement", agreement=AgreementConfig(methods=1))
    assert label_problem(samples(cot="7 - - -"), None, alone, 1).key is None
    assert label_problem(samples(cot="7"), None, alone, 1).key is None
    assert label_problem(samples(cot="7 7 - -"), None, alone, 1).support == 0.5
    once = FilterConfig(label="agreement", agreement=AgreementConfig(methods=1, min_samples=1))
    assert label_problem(samples(cot="7"), None, once, 1).key == "7"


def answered(*texts: str) -> list[Solution]:
    """One readable solution per answer, by alternating methods."""
    found = [read_answer(text) for text in texts]
    rows = [solution(("cot", "pot")[n % 2], key=answer.key, sample=n) for n, answer in enumerate(found)]
    return [replace(row, answer=answer.text) for row, answer in zip(rows, found, strict=True)]


def test_a_rounded_answer_agrees_with_the_exact_one_and_does_not_replace_it() -> None:
    for texts in (["33.33", "33.333333"], ["33.333333", "33.33"]):
        label = label_problem(answered(*texts), None, AGREEMENT, 1)
        assert label.answer == "33.333333"
        assert why(solution_filter(), answered(*texts), label) == ["kept", "kept"]
    exact = label_problem(answered("33.33", "100/3"), None, AGREEMENT, 1)
    assert (exact.key, exact.answer) == ("100/3", "100/3")


def test_a_rounded_answer_joins_no_exact_one_if_it_equals_two() -> None:
    keys = [row.key for row in merged(answered("33.3333", "33.33", "33.3314"))]
    assert keys == [read_answer(text).key for text in ("33.3333", "33.33", "33.3314")]
    assert label_problem(answered("42.5", "42.46"), None, AGREEMENT, 1).key is None
    assert label_problem(answered("12", "12.4"), None, AGREEMENT, 1).key is None


def test_an_answer_that_cannot_be_compared_is_undecided_and_not_wrong() -> None:
    (opaque,) = answered(r"\int x dx")
    gold = Label("5", "5", "gold", 0.0)
    assert matches(read_answer("5"), opaque) is None
    assert why(solution_filter(), [opaque], gold) == ["undecided"]
    asked = SolutionFilter(FilterConfig(), lambda gold, answer: Comparison(True, "by Math-Verify"))
    assert why(asked, [opaque], gold) == ["kept"]


def test_thinking_is_neither_checked_nor_compared() -> None:
    texts = ["<think>3 + 4 = 8?</think>So 7.", "<think>Or 3 + 4 = 9?</think>So 7.", "3 + 4 = 8?</think>Then 7 it is."]
    solutions = [solution(sample=n, text=text) for n, text in enumerate(texts)]
    assert why(solution_filter(cap=9), solutions) == ["kept", "duplicate", "kept"]


def test_the_share_can_be_raised_from_the_second_round_on() -> None:
    config = FilterConfig(label="agreement", agreement=AgreementConfig(raise_to=0.7))
    solutions = samples(cot="7 7 8", pot="7 7 9")
    assert label_problem(solutions, None, config, 1).key == "7"
    assert label_problem(solutions, None, config, 2).key is None


def test_translations_have_no_vote() -> None:
    translated = [solution("pot", "7", 9, origin="x"), solution("pot", "7", 8, origin="y")]
    assert label_problem([*samples(cot="7 7"), *translated], None, AGREEMENT, 1).key is None


def test_an_answer_that_equals_the_reference_by_rounding_matches_it() -> None:
    gold = read_answer("3.33")
    assert matches(gold, solution(key="3.3333333333333335")) is True
    assert matches(gold, solution(key="3.43")) is False


def test_every_solution_has_its_reason() -> None:
    checking = solution_filter(cap=2)
    solutions = [
        solution(sample=0, key=None),
        solution(sample=1, key="8"),
        solution(sample=2, text="3 + 4 = 8, so 7"),
        solution(sample=3, text="a"),
        solution(sample=4, text="a"),
        solution(sample=5, text="b"),
        solution(sample=6, text="c"),
    ]
    assert why(checking, solutions) == [
        *("not_ok:no_answer", "wrong", "calculation: 3 + 4 = 8", "kept", "duplicate", "kept", "cap"),
    ]
    assert why(solution_filter(), [solution()], Label()) == ["no_label"]
    assert why(solution_filter(check_calculations=False), [solution(text="3 + 4 = 8")]) == ["kept"]


def test_arrival_decides_nothing() -> None:
    solutions = [solution(sample=n, text=f"text {n % 3}", method=m) for n in range(8) for m in ("cot", "pot")]
    decisions = {s.solution_id: f for s, f in zip(solutions, solution_filter().decide(solutions, GOLD), strict=True)}
    for seed in range(5):
        mixed = random.Random(seed).sample(solutions, len(solutions))
        assert {
            s.solution_id: f for s, f in zip(mixed, solution_filter().decide(mixed, GOLD), strict=True)
        } == decisions


def test_duplicates_and_caps_go_over_all_rounds() -> None:
    later = solution_filter(cap=2)
    later.remember([solution(text="a"), solution(text="t", origin="x", sample=1)])
    new = [solution(sample=n, round_=2, text=text) for n, text in enumerate("atbc")]
    assert why(later, new) == ["duplicate", "duplicate", "kept", "cap"]


def test_duplicates_and_caps_are_per_problem_and_method() -> None:
    one = solution_filter(cap=1)
    assert why(one, [solution(text="a")]) == ["kept"]
    assert why(one, [solution("pot", text="a")]) == ["kept"]
    assert why(one, [solution(text="a", problem="q")]) == ["kept"]


def test_translations_are_not_capped_but_are_never_duplicates() -> None:
    one = solution_filter(cap=1)
    assert why(one, [solution(text="a"), solution(sample=1, text="b", origin="x")]) == ["kept", "kept"]
    assert why(one, [solution(sample=2, text="a", origin="y")]) == ["duplicate"]


def kept_row(solution_id: str, problem_id: str, method: str) -> FilterDecision:
    return FilterDecision(solution_id, problem_id, method, "7", "7", "gold", 1.0, True, "kept")


def test_no_method_has_more_than_its_share_and_every_problem_keeps_one() -> None:
    kept = [kept_row(f"pot{p}/{n}", f"p{p}", "pot") for p in range(10) for n in range(3)]
    kept += [kept_row(f"cot{p}", f"p{p}", "cot") for p in range(8)]
    dropped = over_balance(kept, 1.5)
    assert len(dropped) == 30 - 12
    assert not any(name.startswith("cot") for name in dropped)
    left = {row.problem_id for row in kept if row.method == "pot" and row.solution_id not in dropped}
    assert left == {f"p{p}" for p in range(10)}
    assert over_balance(random.Random(0).sample(kept, len(kept)), 1.5) == dropped
    assert over_balance(kept, None) == over_balance([], 1.0) == set()


def test_reasons_are_counted_without_their_details() -> None:
    solutions = [solution(sample=n, text=f"3 + {n} = 8") for n in range(3)]
    figures = tally(solution_filter().decide([*solutions, solution(sample=3)], GOLD), ["cot", "pot"])
    assert figures["reasons"] == {"calculation": 3, "kept": 1}
    assert (figures["solutions"], figures["kept"], figures["problems_with_kept"]) == (4, 1, 1)
    assert figures["kept_by_method"] == {"cot": 1, "pot": 0}


def test_each_kept_solution_is_translated_into_each_other_method() -> None:
    methods = [METHODS["cot"], METHODS["pot"]]
    kept = [solution("pot", sample=1), solution("cot"), solution("pot"), solution("pot", origin="x", sample=5)]
    plan = plan_translations(kept, methods, TranslateConfig(per_problem=3))
    assert [(s.method, s.sample, target.name) for s, target in plan] == [
        ("pot", 0, "cot"),
        ("pot", 1, "cot"),
        ("cot", 0, "pot"),
    ]
    assert plan == plan_translations(kept[::-1], methods, TranslateConfig(per_problem=3))


def test_sources_take_turns_where_not_all_can_be_translated() -> None:
    kept = [solution(method, sample=n, problem=p) for p in "ab" for method in ("eot", "pot") for n in range(3)]
    plan = plan_translations(kept, [METHODS["cot"]], TranslateConfig(per_problem=3))
    assert Counter(s.problem_id for s, _ in plan) == {"a": 3, "b": 3}
    assert [(s.method, s.sample) for s, _ in plan[:3]] == [("eot", 0), ("pot", 0), ("eot", 1)]
