"""Promotion uses dev problems only, and the methods of this run."""

import pytest

from mmst.config import PromotionConfig
from mmst.stages.promote import dev_score

DEV = {"accuracy": {"cot": 0.2, "pot": 0.8, "vote": 0.7, "any": 0.9}, "agreement": {"share": 0.15}}


@pytest.mark.parametrize(
    ("metric", "methods", "score"),
    [
        ("mean", ["cot", "pot"], 0.5),
        ("best", ["cot", "pot"], 0.8),
        ("vote", ["cot", "pot"], 0.7),
        ("mean", ["cot"], 0.2),
        ("vote", ["cot"], 0.2),
    ],
)
def test_only_the_methods_of_the_run_count(metric: str, methods: list[str], score: float) -> None:
    assert dev_score(DEV, PromotionConfig(metric=metric), methods) == pytest.approx(score)


def test_without_reference_answers_agreement_decides() -> None:
    assert dev_score({**DEV, "accuracy": None}, PromotionConfig(), ["cot", "pot"]) == 0.15
