"""The proof tells a checkpoint from its neighbours, and trusts no file that belongs to other weights."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_llama import tiny_llama

from mmst.weight_check import (
    LENGTH,
    PROMPTS,
    WeightCheck,
    compute_weight_check,
    weight_check_of,
    write_weight_check,
)


@pytest.fixture(scope="module")
def weight_checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, WeightCheck]:
    root = tmp_path_factory.mktemp("weight_checks")
    return {name: compute_weight_check(tiny_llama(root / name, seed), "float32") for name, seed in (("a", 1), ("b", 2))}


def test_the_figures_are_log_probabilities_of_every_token_but_the_first(weight_checks: dict[str, WeightCheck]) -> None:
    assert [len(row) for row in weight_checks["a"].logprobs] == [LENGTH - 1] * PROMPTS
    assert all(value < 0 for row in weight_checks["a"].logprobs for value in row)
    assert weight_checks["a"].prompts == weight_checks["b"].prompts


def test_an_engine_is_believed_only_within_the_tolerance(weight_checks: dict[str, WeightCheck]) -> None:
    one = weight_checks["a"]

    def shifted(gap: float) -> list[list[float]]:
        return [[value + gap for value in row] for row in one.logprobs]

    assert one.fault(shifted(1e-5)) is None
    assert "plain transformers" in (one.fault(shifted(1e-3)) or "")
    assert one.fault(weight_checks["b"].logprobs) is not None
    assert one.fault(shifted(math.nan)) is not None


def test_in_half_precision_an_engine_that_kept_the_old_weights_is_found_out(
    weight_checks: dict[str, WeightCheck],
) -> None:
    """Noise hides a small change, so the figures must have moved from the old checkpoint to the new one."""
    old = replace(weight_checks["a"], dtype="bfloat16")
    new = replace(old, logprobs=[[value + 0.1 for value in row] for row in old.logprobs])
    noisy = [[value + 0.02 * (-1) ** n for n, value in enumerate(row)] for row in old.logprobs]
    assert new.fault(noisy) is None
    assert "no nearer" in (new.fault(noisy, before=old) or "")
    assert old.fault(noisy, before=new) is None


def test_a_saved_proof_is_used_unless_it_belongs_to_other_weights(tmp_path: Path) -> None:
    checkpoint = tiny_llama(tmp_path / "a", 1)
    write_weight_check(checkpoint, WeightCheck("", "float32", [[1, 2]], [[-123.0]]))
    assert weight_check_of(checkpoint, "float32").logprobs[0][0] == -123.0
    tiny_llama(checkpoint, 2)
    assert weight_check_of(checkpoint, "float32").logprobs[0][0] != -123.0
