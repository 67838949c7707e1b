"""Memory per device from a model's configuration alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmst.config import ClusterConfig, EngineConfig, LoraConfig, ModelConfig, ScratchConfig, TrainingConfig
from mmst.errors import InputError
from mmst.training.memory import GIB, MemoryEstimate, estimate, shape_of
from mmst.training.scratch import build_model, build_tokenizer, save_checkpoint

QWEN = "Qwen/Qwen2.5-1.5B"


def on_gpus(workers: int = 1, model: str = QWEN, **training: object) -> MemoryEstimate:
    cluster = ClusterConfig(train_gpus=1, train_workers=workers, address="auto")
    return estimate(model, TrainingConfig(precision="bfloat16", **training), cluster, EngineConfig(gpus=1))


def test_published_sizes_of_known_models_come_out() -> None:
    sizes = {QWEN: 1.54, "Qwen/Qwen2.5-7B-Instruct": 7.62, "meta-llama/Llama-3.1-8B": 8.03}
    assert {name: round(shape_of(name).parameters / 1e9, 2) for name in sizes} == sizes


def test_a_directorys_parameters_are_counted_without_loading_and_match_the_formula(tmp_path: Path) -> None:
    config = ScratchConfig(width=64, layers=3, heads=4)
    tokenizer = build_tokenizer(["a few words 1 2 3"], config)
    model = build_model(tokenizer, config, 0)
    save_checkpoint(model, tokenizer, tmp_path / "model")
    shape = shape_of(tmp_path / "model")
    exact = sum(weight.numel() for weight in model.parameters())
    assert shape.counted == shape.parameters == exact
    new = config.model_copy(update={"vocabulary": len(tokenizer)})
    assert shape_of(ModelConfig(scratch=new)).parameters == exact


def test_zero_stages_divide_optimizer_then_gradients_then_weights() -> None:
    stages = [on_gpus(4, zero_stage=stage).training for stage in (0, 1, 2, 3)]
    for part, divided_from in (("optimizer", 1), ("gradients", 2), ("weights", 3)):
        values = [stage[part] for stage in stages]
        assert values[:divided_from] == [values[0]] * divided_from
        assert values[divided_from:] == [values[0] / 4] * (4 - divided_from)
    assert stages[0]["optimizer"] == 12 * shape_of(QWEN).parameters


def test_adapters_and_gradient_checkpointing_need_less() -> None:
    full, lora, again = on_gpus(), on_gpus(lora=LoraConfig()), on_gpus(gradient_checkpointing=True)
    assert lora.training["optimizer"] < full.training["optimizer"] / 20
    assert again.training["activations"] < full.training["activations"] / 2


def test_what_cannot_fit_is_refused_with_a_way_out() -> None:
    with pytest.raises(InputError, match=r"GiB per GPU are needed.*gradient_checkpointing"):
        on_gpus(model="Qwen/Qwen2.5-32B").refuse()
    with pytest.raises(InputError, match=r"most goes into optimizer.*cluster.train_workers"):
        on_gpus(model="Qwen/Qwen2.5-32B", gradient_checkpointing=True).refuse()
    fits = on_gpus(gradient_checkpointing=True)
    fits.refuse()
    assert "80 GiB" in fits.describe() and fits.needed < 80 * GIB


def test_a_tiny_model_on_cpu_fits_this_machine_and_says_so() -> None:
    found = estimate(ModelConfig(), TrainingConfig(max_length=192), ClusterConfig(), EngineConfig())
    found.refuse()
    assert "per machine" in found.describe()


def test_a_directory_without_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        shape_of(tmp_path)


def test_estimating_imports_neither_torch_nor_ray_nor_transformers() -> None:
    code = (
        "import sys; from mmst.config import *; from mmst.training.memory import estimate;"
        "estimate(ModelConfig(), TrainingConfig(), ClusterConfig(), EngineConfig());"
        "print([m for m in ('torch', 'ray', 'transformers', 'deepspeed') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
