"""Each decision in mmst/verify/answers/policy.py, by the examples in policy.txt, in both directions."""

from pathlib import Path

import pytest

from mmst.verify.answers import compare_answers, read_answer


def cases() -> list[tuple[str, str, str]]:
    """(left, relation, right) of every line that is no comment and no heading."""
    lines = Path(__file__).with_name("policy.txt").read_text().splitlines()
    split = [line.split("  ") for line in lines if line and not line.startswith("#") and not line.endswith("]\n")]
    return [(left, relation, right) for left, relation, right in (parts for parts in split if len(parts) == 3)]


@pytest.mark.parametrize(("left", "relation", "right"), cases())
def test_the_examples_of_the_policy_hold_in_both_directions(left: str, relation: str, right: str) -> None:
    gold, prediction = read_answer(left), read_answer(right)
    assert gold is not None and prediction is not None
    for verdict in (compare_answers(gold, prediction), compare_answers(prediction, gold)):
        assert verdict is not None and verdict.reason
        assert verdict.equal is (relation != "=/=")
    assert (gold.key == prediction.key) is (relation == "=key=")


def test_the_examples_are_all_read() -> None:
    assert len(cases()) > 180
    assert {relation for _, relation, _ in cases()} == {"=key=", "=rule=", "=/="}


@pytest.mark.parametrize(
    "text",
    ["", "   ", "nan", "None", "1/0", "$$", "He has 5 apples and she has 6", "x" * 3000, "9" * 1500, "1e5000"],
)
def test_what_is_no_answer_is_not_read(text: str) -> None:
    assert read_answer(text) is None
