"""Tiny Llamas with a word-level tokenizer, made from a seed: enough to be served, too small to wait for."""

import random
from pathlib import Path

WORDS = [f"w{n}" for n in range(200)]
SPECIAL = ["<pad>", "<s>", "</s>", "<tool>"]


def tiny_llama(
    directory: Path, seed: int, *, tied: bool = False, width: int = 64, layers: int = 2, words: int = len(WORDS)
) -> Path:
    """Write a checkpoint with random weights; large initial values make its distributions differ visibly by seed."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokens = [*SPECIAL, "<unk>", *(f"w{n}" for n in range(words))]
    tokenizer = Tokenizer(models.WordLevel({token: n for n, token in enumerate(tokens)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.Sequence([decoders.Replace("w", " w"), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["<tool>"],
    ).save_pretrained(directory)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,  # vLLM on CPU has no kernel for narrower heads
        num_key_value_heads=width // 32,
        max_position_embeddings=256,
        initializer_range=0.2,
        tie_word_embeddings=tied,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(directory)
    return directory


def prompts(count: int, length: int, seed: int = 0) -> list[str]:
    """Random words."""
    sampling = random.Random(seed)
    return [" ".join(sampling.choices(WORDS, k=length)) for _ in range(count)]
