"""Corrupted views have one reproducible mistake and keep their type."""

import random

import pytest

from mmst.config.synthetic import SyntheticSpec
from mmst.problems.noise import corrupted
from mmst.problems.synthetic import generate

PROBLEMS = generate(SyntheticSpec(), 50)


@pytest.mark.parametrize("view", ["cot", "program", "equation", "system", "socratic", "prefix"])
def test_every_kind_of_view_gets_a_mistake_reproducible_by_its_seed(view: str) -> None:
    for number, problem in enumerate(PROBLEMS):
        wrong = corrupted(problem.views[view], random.Random(number))
        assert wrong != problem.views[view]
        assert type(wrong) is type(problem.views[view])
        assert wrong == corrupted(problem.views[view], random.Random(number))


def test_the_line_with_the_answer_stays() -> None:
    for number, problem in enumerate(PROBLEMS):
        assert "The answer is" in corrupted(problem.views["cot"], random.Random(number)).splitlines()[-1]


def test_a_view_without_numbers_operators_and_steps_stays() -> None:
    assert corrupted("yes", random.Random(0)) == "yes"
    assert corrupted([], random.Random(0)) == []
