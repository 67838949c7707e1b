"""Memory per device from a model's configuration alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mmst.config import ClusterConfig, EngineConfig, LoraConfig, ModelConfig, ScratchConfig, TrainingConfig
from mmst.config.file import load_config
from mmst.errors import InputError
from mmst.training.memory import GIB, MemoryEstimate, estimate, micro_batch_tokens
from mmst.training.scratch import build_model, build_tokenizer, save_checkpoint
from mmst.training.sizes import UnknownSizes, shape_of

CONFIGS = Path(__file__).parents[2] / "configs"
QWEN = {
    "model_type": "qwen2", "vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 8960,
    "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2, "tie_word_embeddings": True,
}  # fmt: skip
"""Of Qwen2.5-1.5B; below, where larger models differ."""
QWEN_7B = {"vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28,
           "num_key_value_heads": 4, "tie_word_embeddings": False}  # fmt: skip
QWEN_32B = {**QWEN_7B, "hidden_size": 5120, "intermediate_size": 27648, "num_hidden_layers": 64,
            "num_attention_heads": 40, "num_key_value_heads": 8}  # fmt: skip
SMOLLM = {"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
          "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3}  # fmt: skip
MIXTRAL = {"model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336,
           "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "num_local_experts": 8,
           "tie_word_embeddings": False}  # fmt: skip


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Path]:
    """A model directory with nothing but a config.json."""

    def made(**sizes: object) -> Path:
        (tmp_path / "config.json").write_text(json.dumps(QWEN | sizes))
        return tmp_path

    return made


@pytest.fixture
def on_gpus(described: Callable[..., Path]) -> Callable[..., MemoryEstimate]:
    def made(workers: int = 1, sizes: dict[str, object] | None = None, **training: object) -> MemoryEstimate:
        cluster = ClusterConfig(train_gpus=1, train_workers=workers, address="auto")
        settings = TrainingConfig(**{"precision": "bfloat16", "micro_batch_tokens": 16384, **training})
        return estimate(described(**(sizes or {})), settings, cluster, EngineConfig(gpus=1))

    return made


@pytest.mark.parametrize(
    ("sizes", "billions"), [({}, 1.54), (QWEN_7B, 7.62), (QWEN_32B, 32.76), (SMOLLM, 0.13), (MIXTRAL, 46.7)]
)
def test_published_sizes_come_out_of_the_configuration(described: Callable[..., Path], sizes, billions) -> None:
    assert shape_of(described(**sizes)).parameters / 1e9 == pytest.approx(billions, abs=0.05)


def test_the_formula_agrees_with_the_model_that_transformers_builds(described: Callable[..., Path]) -> None:
    shape = shape_of(described(**SMOLLM))
    assert shape.counted == replace(shape, counted=None).parameters


def test_an_architecture_that_transformers_lacks_is_taken_for_a_llama(described: Callable[..., Path]) -> None:
    shape = shape_of(described(model_type="unheard_of"))
    assert shape.counted is None
    assert shape.parameters == pytest.approx(1.54e9, rel=0.01)


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnknownSizes) as error:
        shape_of("nobody/no-such-model")
    assert len(str(error.value).splitlines()) == 1


def test_micro_batches_are_large_for_small_models_and_fit_the_device(described: Callable[..., Path]) -> None:
    auto = TrainingConfig()
    assert micro_batch_tokens(shape_of(ModelConfig()), auto, 1, gpu=False, device=None) == 16384
    assert micro_batch_tokens(shape_of(described(**SMOLLM)), auto, 1, gpu=False, device=None) == 1024
    qwen, saving = shape_of(described()), TrainingConfig(precision="bfloat16", gradient_checkpointing=True)
    sizes = [micro_batch_tokens(qwen, saving, 1, gpu=True, device=gib * GIB) for gib in (24, 48, 80)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] == 16384
    explicit = TrainingConfig(micro_batch_tokens=100)
    assert micro_batch_tokens(qwen, explicit, 1, gpu=False, device=None) == 100


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.name)
def test_configurations_of_tiny_models_keep_their_micro_batches(path: Path) -> None:
    """Other micro-batches would change published results in their last digits."""
    config = load_config(path)
    if config.model.path is None:
        shape = shape_of(config.model)
        assert micro_batch_tokens(shape, config.training, config.cluster.train_workers, False, None) == 16384


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


def test_zero_stages_divide_optimizer_then_gradients_then_weights(on_gpus, described) -> None:
    stages = [on_gpus(4, zero_stage=stage).training for stage in (0, 1, 2, 3)]
    for part, divided_from in (("optimizer", 1), ("gradients", 2), ("weights", 3)):
        values = [stage[part] for stage in stages]
        assert values[:divided_from] == [values[0]] * divided_from
        assert values[divided_from:] == [values[0] / 4] * (4 - divided_from)
    assert stages[0]["optimizer"] == 12 * shape_of(described()).parameters


def test_adapters_and_gradient_checkpointing_need_less(on_gpus) -> None:
    full, lora, again = on_gpus(), on_gpus(lora=LoraConfig()), on_gpus(gradient_checkpointing=True)
    assert lora.training["optimizer"] < full.training["optimizer"] / 20
    assert again.training["activations"] < full.training["activations"] / 2


def test_what_cannot_fit_is_refused_with_a_way_out(on_gpus) -> None:
    with pytest.raises(InputError, match=r"GiB per GPU are needed.*gradient_checkpointing"):
        on_gpus(sizes=QWEN_32B).refuse()
    with pytest.raises(InputError, match=r"most is for optimizer.*cluster.train_workers"):
        on_gpus(sizes=QWEN_32B, gradient_checkpointing=True).refuse()
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
