"""A model under DeepSpeed takes the same steps as in a plain PyTorch loop, and its export is that model."""

import copy
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from toy_task import Toy
from transformers import AutoModelForCausalLM, AutoTokenizer

from mmst.config import LoraConfig, ScheduleConfig, TrainingConfig
from mmst.training.batches import Batch, assemble
from mmst.training.encode import encode, load_tokenizer
from mmst.training.plan import divide, draw_examples
from mmst.training.task import Task

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
STEPS, RATE = 6, 1e-2


@pytest.fixture(scope="module", autouse=True)
def one_rank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    environment = pytest.MonkeyPatch()
    for name, value in {"DS_ACCELERATOR": "cpu", "RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}.items():
        environment.setenv(name, value)
    store = tmp_path_factory.mktemp("rendezvous") / "store"
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()
    environment.undo()


@pytest.fixture
def train_model(toy: Toy, tmp_path: Path) -> Iterator[Callable[[TrainingConfig], Any]]:
    from mmst.training.model import TrainModel

    def made(training: TrainingConfig) -> TrainModel:
        paths = {"start": str(toy.start), "output": str(tmp_path / "out"), "storage": str(tmp_path / "storage")}
        schedule = ScheduleConfig(steps=STEPS)
        return TrainModel(
            Task(**paths, training=training, schedule=schedule, steps=STEPS, seed=0, threads=1, gpu=False)
        )

    yield made
    gc.collect()  # a ZeRO 3 model would otherwise go on making every later model a sharded one


def batches(toy: Toy, training: TrainingConfig) -> Iterator[tuple[list[Batch], int]]:
    encoded = encode(toy.rows, load_tokenizer(toy.start), training.max_length)
    for examples in draw_examples(encoded.tasks, {}, training.batch, STEPS, 0):
        (rows_of,) = divide(encoded.lengths[examples].tolist(), 1, training.micro_batch_tokens)
        made = [
            assemble([[int(examples[e]) for e in row] for row in rows], encoded.tokens, encoded.starts, encoded.prompts)
            for rows in rows_of
        ]
        assert len(made) > 1, "several micro-batches per step are part of what is tested"
        yield made, sum(len(batch.targets) for batch in made)


def plain_losses(toy: Toy, training: TrainingConfig) -> tuple[list[float], torch.nn.Module]:
    """What a reader of a PyTorch tutorial would write."""
    model = AutoModelForCausalLM.from_pretrained(toy.start)
    vectors = [p for p in model.parameters() if p.ndim < 2]
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    groups = [{"params": matrices, "weight_decay": training.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=training.betas)
    losses = []
    for made, targets in batches(toy, training):
        total = 0.0
        for batch in made:
            mask = batch.attention(torch.float32)
            out = model(input_ids=batch.tokens, position_ids=batch.positions, attention_mask=mask)
            loss = cross_entropy(out.logits[batch.predicts], batch.targets, reduction="sum") / targets
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total)
    return losses, model


def logits(directory: Path, text: str, like: torch.nn.Module) -> torch.Tensor:
    """Of an exported checkpoint. ZeRO 3 changes how models are made in this process, so its weights go into a copy."""
    model, words = copy.deepcopy(like), AutoTokenizer.from_pretrained(directory)
    model.load_state_dict(load_file(directory / "model.safetensors"))
    with torch.no_grad():
        return model(**words(text, return_tensors="pt")).logits


stages = [pytest.param(stage, marks=[] if stage in (1, 3) else pytest.mark.long) for stage in (0, 1, 2, 3)]


@pytest.mark.parametrize("stage", stages)
def test_zero_takes_the_steps_of_a_plain_loop_and_exports_the_same_model(
    stage: int,
    toy: Toy,
    settings: Callable[..., TrainingConfig],
    train_model: Callable[[TrainingConfig], Any],
    tmp_path: Path,
) -> None:
    training = settings(zero_stage=stage)
    expected, model = plain_losses(toy, training)
    subject = train_model(training)
    assert subject.packs
    losses = [subject.step(made, targets, RATE).item() for made, targets in batches(toy, training)]
    assert losses == pytest.approx(expected, rel=1e-4)
    assert losses[-1] < losses[0]
    subject.export(tmp_path / "out")
    del subject
    gc.collect()
    words = AutoTokenizer.from_pretrained(tmp_path / "out")
    with torch.no_grad():
        same = model(**words("3 + 4\nThe", return_tensors="pt")).logits
    torch.testing.assert_close(logits(tmp_path / "out", "3 + 4\nThe", model), same, atol=2e-3, rtol=1e-3)


@pytest.mark.long
def test_adapters_are_merged_into_a_plain_checkpoint(
    toy: Toy, settings: Callable[..., TrainingConfig], train_model: Callable[[TrainingConfig], Any], tmp_path: Path
) -> None:
    training = settings(lora=LoraConfig(rank=4), gradient_checkpointing=True)
    subject = train_model(training)
    losses = [subject.step(made, targets, RATE).item() for made, targets in batches(toy, training)]
    assert losses[-1] < losses[0]
    (made, _), *_ = batches(toy, training)
    subject.export(tmp_path / "out")
    with torch.no_grad():
        expected = subject.logits(made[0])
        again = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
        mask = made[0].attention(torch.float32)
        out = again(input_ids=made[0].tokens, position_ids=made[0].positions, attention_mask=mask).logits
    torch.testing.assert_close(out[made[0].predicts], expected, atol=1e-4, rtol=1e-4)
    assert not (tmp_path / "out" / "adapter_config.json").exists()


@pytest.mark.long
def test_bfloat16_learns_and_exports_bfloat16(
    toy: Toy, settings: Callable[..., TrainingConfig], train_model: Callable[[TrainingConfig], Any], tmp_path: Path
) -> None:
    training = settings(precision="bfloat16")
    subject = train_model(training)
    losses = [subject.step(made, targets, RATE).item() for made, targets in batches(toy, training)]
    assert losses == pytest.approx(plain_losses(toy, training)[0], rel=0.05)
    subject.export(tmp_path / "out")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert again.dtype == torch.bfloat16
