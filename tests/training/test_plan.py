"""What every step trains on is fixed up front, by pure functions."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmst.config import ScheduleConfig
from mmst.training.plan import PADDING, divide, draw_examples, learning_rate, pack, step_count

lengths_strategy = st.lists(st.integers(2, 400), min_size=1, max_size=64)


def test_epochs_become_steps_and_explicit_steps_win() -> None:
    assert step_count(ScheduleConfig(epochs=2), 100, 64) == math.ceil(200 / 64)
    assert step_count(ScheduleConfig(epochs=2, steps=7), 100, 64) == 7


def test_rate_warms_up_falls_to_the_floor_over_its_share_and_stays_there() -> None:
    schedule = ScheduleConfig(learning_rate=1.0, warmup=0.1, decay=0.5, floor=0.2)
    rates = [learning_rate(step, 100, schedule) for step in range(100)]
    assert rates[:10] == sorted(rates[:10]) and 0 < rates[0] < 0.2
    assert rates[10] == pytest.approx(1.0)
    assert rates[10:56] == sorted(rates[10:56], reverse=True)
    assert rates[10 + 45 // 2] == pytest.approx(0.6, abs=0.03)
    assert rates[55:] == pytest.approx([0.2] * 45)


def test_without_mixture_every_example_comes_once_per_epoch() -> None:
    order = draw_examples(["a"] * 30 + ["b"] * 10, {}, batch=8, steps=15, seed=3)
    epochs = order.reshape(3, 40)
    assert all(sorted(epoch) == list(range(40)) for epoch in epochs.tolist())
    assert epochs[0].tolist() != epochs[1].tolist()


def test_mixture_gives_each_step_its_shares_and_uses_a_tasks_examples_equally() -> None:
    tasks = ["cot"] * 50 + ["pot"] * 20 + ["pot->cot"] * 500 + ["off"] * 40
    order = draw_examples(tasks, {"cot": 3, "pot": 1, "pot->cot": 0.5, "off": 0}, batch=64, steps=90, seed=0)
    names = np.array(tasks)[order]
    for task, share in {"cot": 3 / 4.5, "pot": 1 / 4.5, "pot->cot": 0.5 / 4.5}.items():
        per_step = (names == task).sum(axis=1)
        assert abs(per_step - 64 * share).max() <= 1
        assert abs(per_step.sum() - 64 * share * 90) <= 1
    assert "off" not in names
    uses = Counter(order[names == "cot"].tolist())
    assert len(uses) == 50 and max(uses.values()) - min(uses.values()) <= 1


def test_a_task_that_the_mixture_does_not_name_has_weight_one() -> None:
    names = np.array(["a"] * 9 + ["b"] * 9)[draw_examples(["a"] * 9 + ["b"] * 9, {"a": 3}, 8, 10, 0)]
    assert ((names == "a").sum(axis=1) == 6).all()


def test_the_same_seed_draws_the_same_and_another_seed_does_not() -> None:
    draw = [draw_examples(["a", "b"] * 40, {"a": 2}, 16, 5, seed).tolist() for seed in (1, 1, 2**62)]
    assert draw[0] == draw[1] != draw[2]


@pytest.mark.parametrize(("tasks", "mixture"), [([], {}), (["a"], {"a": 0})])
def test_nothing_to_draw_from_is_an_error(tasks: list[str], mixture: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no examples"):
        draw_examples(tasks, mixture, 4, 2, 0)


@given(lengths_strategy)
@settings(max_examples=200, deadline=None)
def test_packing_holds_every_example_once_in_rows_not_far_wider_than_the_longest(lengths: list[int]) -> None:
    rows = pack(lengths)
    assert sorted(example for row in rows for example in row) == list(range(len(lengths)))
    assert max(sum(lengths[e] for e in row) for row in rows) <= 5 * max(lengths)


def test_batches_of_mixed_lengths_have_at_most_five_percent_padding() -> None:
    random = np.random.default_rng(0)
    padded = total = 0
    for _ in range(60):
        lengths = np.concatenate(
            [random.integers(30, 60, 20), random.integers(45, 110, 30), random.integers(60, 160, 14)]
        )
        for workers in (1, 2, 4):
            for worker in divide(lengths.tolist(), workers, 16384):
                for rows in worker:
                    padded += len(rows) * max(sum(lengths[e] for e in row) for row in rows)
            total += lengths.sum()
    assert 1 - total / padded <= 0.05
    assert PADDING < 0.05


@given(lengths_strategy, st.integers(1, 5), st.integers(50, 3000), st.booleans())
@settings(max_examples=200, deadline=None)
def test_workers_share_all_examples_and_take_equally_many_micro_batches(
    lengths: list[int], workers: int, tokens: int, packed: bool
) -> None:
    plan = divide(lengths, workers, tokens, packed)
    assert len(plan) == workers and len({len(batches) for batches in plan}) == 1
    assert sorted(e for worker in plan for rows in worker for row in rows for e in row) == list(range(len(lengths)))
    for worker in plan:
        for rows in worker:
            widths = [sum(lengths[e] for e in row) for row in rows]
            assert len(rows) <= 1 or len(rows) * max(widths) <= tokens
            assert packed or all(len(row) == 1 for row in rows)


def test_workers_get_nearly_the_same_number_of_tokens() -> None:
    lengths = np.random.default_rng(1).integers(20, 200, 128).tolist()
    load = [sum(lengths[e] for rows in worker for row in rows for e in row) for worker in divide(lengths, 4, 4096)]
    assert max(load) - min(load) <= max(lengths) * 0.2
