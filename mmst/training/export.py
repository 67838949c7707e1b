"""Writing a model in training as a plain Hugging Face directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmst.config import LoraConfig
from mmst.files import PARTIAL, sync, sync_tree
from mmst.weight_check import WeightCheck, write_weight_check

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def write_checkpoint(
    directory: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    weights: dict[str, torch.Tensor] | None = None,
    weight_check: WeightCheck | None = None,
) -> None:
    """Write weights (safetensors), tokenizer and generation config; the directory appears when it is complete and
    synced. `weights` replaces the model's own. The generation config names the end of text, so that servers stop there;
    engines use the weight check."""
    temporary = directory.with_name(f".{directory.name}{PARTIAL}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    generation = model.generation_config
    ends = generation.eos_token_id if generation.eos_token_id is not None else []
    ends = ends if isinstance(ends, list) else [ends]
    if tokenizer.eos_token_id not in ends:
        ends.append(tokenizer.eos_token_id)
    generation.eos_token_id = ends[0] if len(ends) == 1 else ends
    if generation.pad_token_id is None:
        generation.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(temporary, state_dict=weights)
    tokenizer.save_pretrained(temporary)
    if weight_check is not None:
        write_weight_check(temporary, weight_check)
    sync_tree(temporary)
    shutil.rmtree(directory, ignore_errors=True)
    temporary.rename(directory)
    sync(directory.parent)


def gathered_weights(model: Any, trainable_only: bool) -> dict[str, torch.Tensor] | None:
    """The weights on the CPU of rank 0, None on other ranks. Under ZeRO 3 each tensor is gathered from all ranks, so
    every rank must call this."""
    import deepspeed
    import torch.distributed as dist

    first = dist.get_rank() == 0
    weights = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) in seen or (trainable_only and not tensor.requires_grad):
            continue  # tied weights are written once; loading ties them again
        seen.add(id(tensor))
        with deepspeed.zero.GatheredParameters([tensor], enabled=hasattr(tensor, "ds_id")):
            if first:
                weights[name] = tensor.detach().to("cpu", copy=True).contiguous()
    return weights if first else None


def with_adapters(model: PreTrainedModel, lora: LoraConfig) -> Any:
    """The model with new LoRA adapters, which alone are trained."""
    from peft import LoraConfig as PeftConfig
    from peft import get_peft_model

    return get_peft_model(
        model,
        PeftConfig(
            task_type="CAUSAL_LM",
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=lora.target_modules,
        ),
    )


def merged(model: PreTrainedModel, lora: LoraConfig, adapters: dict[str, torch.Tensor]) -> PreTrainedModel:
    """The base model with trained adapters added to its weights."""
    adapted = with_adapters(model, lora)
    missing = adapted.load_state_dict(adapters, strict=False)
    if missing.unexpected_keys:
        raise ValueError(f"adapters do not fit the model: {missing.unexpected_keys[:3]}")
    return adapted.merge_and_unload()
