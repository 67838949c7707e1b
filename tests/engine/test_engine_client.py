"""What can't be served is refused before anything starts, in words that help."""

import json
from pathlib import Path

import pytest
from tiny_llama import tiny_llama

from mmst.config import EngineConfig
from mmst.engine import Engine
from mmst.errors import InputError


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_llama(tmp_path / "a", 1)


def fault(checkpoint: Path | str) -> str:
    with pytest.raises(InputError) as error:
        Engine.start("mmst-never", EngineConfig(), checkpoint)
    return str(error.value)


def test_a_directory_that_is_no_checkpoint_says_what_it_lacks(checkpoint: Path) -> None:
    assert "there is no such checkpoint" in fault(checkpoint / "missing")
    for file in checkpoint.glob("tokenizer*"):
        file.unlink()
    assert "has no tokenizer" in fault(checkpoint)
    (checkpoint / "model.safetensors").rename(checkpoint / "model.bin")
    assert "pickled weights are not loaded" in fault(checkpoint)
    (checkpoint / "config.json").unlink()
    assert "has no config.json" in fault(checkpoint)


def test_heads_that_vllm_cannot_compute_on_cpu_are_named(checkpoint: Path) -> None:
    path = checkpoint / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "head_dim": 16}))
    assert "heads of 16 numbers" in fault(checkpoint)
