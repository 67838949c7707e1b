"""Corrupted views: one mistake, repeatable, of the same kind as what was there."""

import random

import pytest

from mmst.config.synthetic import SyntheticSpec
from mmst.problems.noise import corrupted
from mmst.problems.synthetic import generate

PROBLEMS = generate(SyntheticSpec(), 50)


@pytest.mark.parametrize("view", ["cot", "program", "equation", "system", "socratic", "prefix"])
def test_every_kind_of_view_gets_a_mistake_that_is_the_same_for_the_same_seed(view: str) -> None:
    for number, problem in enumerate(PROBLEMS):
        wrong = corrupted(problem.views[view], random.Random(number))
        assert wrong != problem.views[view]
        assert type(wrong) is type(problem.views[view])
        assert wrong == corrupted(problem.views[view], random.Random(number))


def test_the_stated_answer_may_be_wrong_but_its_line_stays() -> None:
    for number, problem in enumerate(PROBLEMS):
        assert "The answer is" in corrupted(problem.views["cot"], random.Random(number)).splitlines()[-1]


def test_what_has_nothing_to_get_wrong_stays() -> None:
    assert corrupted("yes", random.Random(0)) == "yes"
    assert corrupted([], random.Random(0)) == []
