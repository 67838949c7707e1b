"""Checks of a checkpoint before an engine is started with it."""

from __future__ import annotations

import json
from pathlib import Path

from mmst.config import EngineConfig
from mmst.errors import InputError
from mmst.model_directory import check_model_directory

_CPU_HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)


def check_servable(checkpoint: Path | str, config: EngineConfig) -> None:
    """Raise InputError for a local directory that is no checkpoint or that vLLM cannot run. Hub ids are not checked."""
    root = Path(checkpoint)
    if not root.exists() and (isinstance(checkpoint, Path) or root.is_absolute()):
        raise InputError(f"{checkpoint}: no such checkpoint")
    if root.is_dir():
        check_model_directory(root, tokenizer=False)
        if not any(root.glob("*.safetensors")):
            raise InputError(f"{checkpoint}: has no *.safetensors; pickled weights are not loaded")
        check_model_directory(root)
        if not config.gpus:
            _check_heads(root)


def _check_heads(checkpoint: Path) -> None:
    sizes = json.loads((checkpoint / "config.json").read_text())
    width, heads = sizes.get("hidden_size"), sizes.get("num_attention_heads")
    size = sizes.get("head_dim") or (width // heads if width and heads else None)
    if size is not None and size not in _CPU_HEAD_SIZES:
        raise InputError(
            f"{checkpoint}: vLLM on CPU has no kernel for attention heads of size {size} (width divided by heads); "
            f"it has {', '.join(map(str, _CPU_HEAD_SIZES))}"
        )
