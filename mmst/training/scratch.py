"""A tiny language model from scratch: its tokenizer, its weights, its checkpoint directory.

The tokenizer is word-level and lossless: `decode(encode(text)) == text` for every text of known characters. A space
belongs to the token after it, so "has 3 apples" takes three tokens.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from string import digits
from typing import TYPE_CHECKING

from mmst.config import ScratchConfig
from mmst.training.export import write_checkpoint

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

SPACE = "▁"
PAD, EOS, UNK = "<pad>", "</s>", "<unk>"
LARGEST = 999
"""Integers up to this one, and up to the largest one seen, have a token each."""


def _pattern(config: ScratchConfig) -> str:
    """Matches what becomes one token if the vocabulary has it: a word, a number or a digit, the part of a name after an
    underscore, a line break with the indentation after it, or any other character."""
    number = r"\d+" if config.numbers == "whole" else r"\d"
    return rf"\n{SPACE}*|{SPACE}?(?:_?[A-Za-z]+|{number}|[^\s{SPACE}])"


def build_tokenizer(texts: Iterable[str], config: ScratchConfig) -> PreTrainedTokenizerFast:
    """A tokenizer of the words in `texts`, the most frequent ones first, with up to `config.vocabulary` entries.

    Every digit and every character seen is an entry too, and so is every integer up to the largest seen (at most 999):
    unseen words and results can be written. Within a word the longest match wins (WordPiece without a prefix). End of
    text is `</s>`, padding is another token; there is no begin of text.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pattern = _pattern(config)
    words = Counter(word for text in texts for word in re.findall(pattern, text.replace(" ", SPACE)))
    entries = [PAD, EOS, UNK, *sorted({SPACE, *digits, *(character for word in words for character in word)})]
    entries += _integers(words) if config.numbers == "whole" else []
    entries += sorted(words, key=lambda word: (-words[word], word))
    vocabulary = {entry: number for number, entry in enumerate(list(dict.fromkeys(entries))[: config.vocabulary])}

    pieces = models.WordPiece(vocabulary, unk_token=UNK, max_input_chars_per_word=10_000, continuing_subword_prefix="")
    tokenizer = Tokenizer(pieces)
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNK,
        clean_up_tokenization_spaces=False,
        model_max_length=config.context,
    )


def _integers(words: Counter[str]) -> list[str]:
    """All integers up to the largest seen, with and without a space before them, as they occur."""
    found = []
    for before in ("", SPACE):
        seen = [int(word.removeprefix(SPACE)) for word in words if re.fullmatch(rf"{before}\d+", word)]
        found += [f"{before}{n}" for n in range(min(max(seen), LARGEST) + 1)] if seen else []
    return found


def build_model(tokenizer: PreTrainedTokenizerFast, config: ScratchConfig, seed: int) -> LlamaForCausalLM:
    """A Llama of the given size with random float32 weights drawn from the seed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=config.width,
                intermediate_size=mlp_width(config.width),
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                max_position_embeddings=config.context,
                tie_word_embeddings=config.tie_embeddings,
                bos_token_id=None,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                dtype="float32",
            )
        )


def mlp_width(width: int) -> int:
    """8/3 of the hidden size in multiples of 32: three gated matrices then cost as much as two of 4 × the width
    (Shazeer 2020)."""
    return -(-8 * width // 96) * 32


def save_checkpoint(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    """Write a plain Hugging Face directory; it appears when it is complete."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # transformers imports DeepSpeed to save, which warns otherwise
    write_checkpoint(directory, model, tokenizer)
