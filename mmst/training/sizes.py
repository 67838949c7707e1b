"""The sizes of a model, read from its configuration; no weights are loaded."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmst.config import ModelConfig, ScratchConfig
from mmst.errors import InputError
from mmst.model_directory import check_model_directory


class UnknownSizes(InputError):
    """A model on the hub whose configuration could not be downloaded."""


@dataclass(frozen=True)
class Shape:
    """The sizes that memory depends on."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    mlp: int
    tied: bool
    head_width: int | None = None
    experts: int = 1
    counted: int | None = field(default=None, compare=False)
    """Number of parameters if transformers has the architecture; else they are computed as for a Llama."""

    @property
    def kv_width(self) -> int:
        """Width of the keys, and of the values."""
        return self.kv_heads * (self.head_width or self.width // self.heads)

    @property
    def query_width(self) -> int:
        """Width of the queries."""
        return self.heads * (self.head_width or self.width // self.heads)

    @property
    def linear(self) -> list[tuple[int, int]]:
        """Input and output width of each matrix of one block."""
        attention = [(self.width, self.query_width), (self.query_width, self.width)] + 2 * [(self.width, self.kv_width)]
        return attention + self.experts * [(self.width, self.mlp), (self.width, self.mlp), (self.mlp, self.width)]

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        block = sum(a * b for a, b in self.linear) + 2 * self.width
        tables = self.vocabulary * self.width * (1 if self.tied else 2)
        return self.counted or tables + self.layers * block + self.width


def shape_of(model: ModelConfig | str | Path) -> Shape:
    """The sizes of a new model, of a model directory or of a model on the hub.

    Raises InputError for a directory without a readable config.json, UnknownSizes if the hub cannot be reached or has
    no such model.
    """
    if isinstance(model, ModelConfig):
        if model.path is None:
            return _new(model.scratch)
        model = model.path
    directory = Path(model)
    if directory.is_dir():
        check_model_directory(directory, tokenizer=False)
        return _read(directory / "config.json")
    try:
        from huggingface_hub import hf_hub_download

        path = Path(hf_hub_download(str(model), "config.json", etag_timeout=3))
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnknownSizes(f"{model}: neither a directory nor a model that the hub gives ({reason})") from error
    return _read(path)


def _new(config: ScratchConfig) -> Shape:
    from mmst.training.scratch import mlp_width

    heads, mlp = config.heads, mlp_width(config.width)
    return Shape(config.vocabulary, config.width, config.layers, heads, heads, mlp, config.tie_embeddings)


def _read(path: Path) -> Shape:
    try:
        text = path.read_text()
        outer: dict[str, Any] = json.loads(text)
        config = outer.get("text_config", outer)
        heads = config["num_attention_heads"]
        experts = config.get("num_local_experts") or config.get("num_experts") or 1
        return Shape(
            vocabulary=config["vocab_size"],
            width=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            mlp=(experts > 1 and config.get("moe_intermediate_size"))
            or config.get("intermediate_size")
            or 4 * config["hidden_size"],
            tied=config.get("tie_word_embeddings", outer.get("tie_word_embeddings", True)),
            head_width=config.get("head_dim"),
            experts=experts,
            counted=_built_parameters(text),
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: cannot read the sizes of the model ({type(error).__name__}: {error})") from error


@functools.cache
def _built_parameters(config: str) -> int | None:
    """Number of parameters of a model with this config.json, built by transformers without memory (meta device).

    None for architectures that transformers does not have.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    settings = json.loads(config)
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(settings.pop("model_type", ""), **settings))
    except (ValueError, KeyError, TypeError):
        return None
    return sum(weight.numel() for weight in model.parameters())
