"""A training stage as the loop runs it: Ray Train, DeepSpeed, real worker processes that die."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_task import Toy

from mmst.config import ClusterConfig, ScheduleConfig, TrainingConfig
from mmst.errors import InputError
from mmst.stages.session import ray_session
from mmst.training import TrainingRequest, TrainingResult, train
from mmst.training.worker import read_progress
from mmst.weight_check import FILE, compute_weight_check, weight_check_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
STEPS = 60


@pytest.fixture(scope="module", autouse=True)
def ray_of_our_own() -> Iterator[None]:
    with ray_session(None):
        yield


@pytest.fixture(scope="module")
def fit(
    toy: Toy, settings: Callable[..., TrainingConfig], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    def run(cluster: ClusterConfig = ClusterConfig(), **changes: Any) -> tuple[TrainingResult, Path]:
        root = tmp_path_factory.mktemp("fit")
        on_step = changes.pop("on_step", None)
        request = TrainingRequest(
            rows=toy.rows,
            start=toy.start,
            output=root / "out",
            training=settings(checkpoint_every=10),
            schedule=ScheduleConfig(steps=STEPS, learning_rate=1e-2),
            mixture={"cot": 2, "pot": 1},
            cluster=cluster,
            seed=2**62 + 1,
            storage=root / "storage",
            name="test",
        )
        return train(replace(request, **changes), on_step), root

    return run


@pytest.fixture(scope="module")
def undisturbed(
    fit: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainingResult, Path, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    return *fit(on_step=told.append), told


def test_a_fit_lowers_the_loss_reports_every_step_and_writes_only_where_it_was_told(
    undisturbed: tuple[TrainingResult, Path, list[dict[str, Any]]],
) -> None:
    result, root, told = undisturbed
    losses = [point["loss"] for point in result.losses]
    assert losses[-1] < losses[0] / 2
    assert told == result.losses
    assert [point["step"] for point in told] == list(range(1, STEPS + 1))
    assert result.padding <= 0.05 and result.restarts == 0 and result.tokens_per_second > 0
    assert sum(result.seconds.values()) > 0 and min(result.seconds.values()) >= 0
    assert sorted(path.name for path in root.iterdir()) == ["out", "storage"]


def test_the_checkpoint_answers_in_plain_transformers(
    undisturbed: tuple[TrainingResult, Path, list[dict[str, Any]]],
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = undisturbed[1] / "out"
    model, words = AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    made = model.generate(**words("3 + 4 + 1 + 1 + 1\n", return_tensors="pt"), max_new_tokens=12, do_sample=False)
    text = words.decode(made[0])
    assert "\nThe answer is" in text and text.endswith(".</s>")


def test_the_trained_model_itself_gives_the_figures_that_engines_are_checked_by(
    undisturbed: tuple[TrainingResult, Path, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No replica loads the model with transformers to compute them."""
    out = undisturbed[1] / "out"
    assert (out / FILE).is_file()
    computed = compute_weight_check(out, "float32")
    monkeypatch.setattr("mmst.weight_check.compute_weight_check", None)
    found = weight_check_of(out, "float32")
    assert computed.fault(found.logprobs) is None
    assert computed.difference(found.logprobs)[0] < 1e-4


def test_training_goes_on_with_the_same_losses_after_its_worker_was_killed(
    fit: Callable[..., Any], undisturbed: tuple[TrainingResult, Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    storage, killed = tmp_path / "storage", []

    def kill_once(point: dict[str, Any]) -> None:
        if point["step"] == 10 and not killed:
            killed.append([event for event in read_progress(storage / "progress.jsonl") if "pid" in event][-1]["pid"])
            os.kill(killed[0], signal.SIGKILL)

    result, _ = fit(storage=storage, on_step=kill_once)
    assert killed and result.restarts == 1
    losses = [point["loss"] for point in result.losses]
    assert losses == pytest.approx([point["loss"] for point in undisturbed[0].losses], rel=1e-5)


@pytest.mark.long
def test_two_workers_take_the_same_steps_as_one(
    fit: Callable[..., Any],
    undisturbed: tuple[TrainingResult, Path, list[dict[str, Any]]],
    settings: Callable[..., TrainingConfig],
) -> None:
    result, _ = fit(ClusterConfig(train_workers=2, train_cpus=0.5), training=settings(zero_stage=2))
    losses = [point["loss"] for point in result.losses]
    assert losses[:20] == pytest.approx([point["loss"] for point in undisturbed[0].losses[:20]], rel=1e-3)


@pytest.mark.long
def test_a_loss_that_is_not_a_number_is_an_input_error(fit: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="lower learning_rate"):
        fit(schedule=ScheduleConfig(steps=STEPS, learning_rate=1e39))  # beyond float32; norms bear anything below


def test_a_mixture_that_leaves_nothing_is_refused_before_anything_starts(fit: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"training\.mixture: no examples"):
        fit(mixture={"cot": 0, "pot": 0})
