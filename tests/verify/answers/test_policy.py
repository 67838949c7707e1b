"""Each decision in mmst/verify/answers/policy.py, by the examples in policy.txt, in both directions."""

import doctest
from pathlib import Path
from types import ModuleType

import pytest

from mmst.verify import answers
from mmst.verify.answers import calculations, compare_answers, comparer, comparing, finding, read_answer, reading


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


@pytest.mark.parametrize("text", [r"(1, 2, 3) \setminus \{4\}", r"((0,1) \cup (2,3) \cup (4,5)) \setminus \{1\}"])
def test_a_difference_of_anything_but_an_interval_and_points_is_left_to_math_verify(text: str) -> None:
    answer = read_answer(text)
    assert answer is not None and answer.kind == "opaque"


@pytest.mark.parametrize("module", [answers, calculations, comparer, comparing, finding, reading])
def test_the_examples_in_docstrings_hold(module: ModuleType) -> None:
    result = doctest.testmod(module, globs={**vars(answers), **vars(module)})
    assert result.attempted and not result.failed


def test_the_examples_are_all_read() -> None:
    assert len(cases()) > 180
    assert {relation for _, relation, _ in cases()} == {"=key=", "=rule=", "=/="}


@pytest.mark.parametrize(
    "text",
    ["", "   ", "nan", "None", "1/0", "$$", "He has 5 apples and she has 6", "x" * 3000, "9" * 1500, "1e5000"],
)
def test_what_is_no_answer_is_not_read(text: str) -> None:
    assert read_answer(text) is None
