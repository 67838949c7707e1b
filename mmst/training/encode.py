"""Tokenizing the rows of a training stage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmst.errors import InputError
from mmst.model_directory import check_model_directory, trusts_code

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Encoded:
    """Examples as tokens. Example `i` is `tokens[starts[i]:starts[i + 1]]`. The first `prompts[i]` of these are the
    prompt; the loss is over the rest, completion and end of text."""

    tokens: np.ndarray
    starts: np.ndarray
    prompts: np.ndarray
    tasks: list[str]
    left_out: dict[str, int]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example."""
        return np.diff(self.starts)


def load_tokenizer(start: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model directory or hub id. Raises InputError if there is none, or none with an end of text."""
    from transformers import AutoTokenizer

    if Path(start).exists():
        check_model_directory(Path(start))
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(start), trust_remote_code=trusts_code())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{start}: no tokenizer could be loaded ({reason}). Give a model directory or a hub id"
        ) from error
    if tokenizer.eos_token_id is None:
        raise InputError(f"{start}: its tokenizer has no end-of-text token (eos_token), so no end could be learned")
    return tokenizer


def encode(rows: Path, tokenizer: PreTrainedTokenizerBase, max_length: int, role: str | None = None) -> Encoded:
    """Tokenize a Parquet file with columns prompt, completion and task; with a `role` only its rows.

    The prompt is encoded as by a server (with begin of text if the tokenizer has one and the text does not), the
    completion separately, then end of text. Left out and counted: examples longer than `max_length` tokens (`long`),
    and completions with a literal special token (`special`). Raises InputError if nothing is left.
    """
    import pyarrow.parquet as pq

    wanted = [("role", "==", role)] if role else None
    table = pq.read_table(rows, columns=["prompt", "completion", "task"], filters=wanted).to_pydict()
    special, begin = set(tokenizer.all_special_ids), tokenizer.bos_token
    tokens: list[int] = []
    starts, prompts, tasks, left_out = [0], [], [], Counter[str]()
    begun = [bool(begin) and text.startswith(begin) for text in table["prompt"]]
    for at in range(0, len(begun), 1024):
        part = slice(at, at + 1024)
        before = [
            tokenizer(text, add_special_tokens=not has)["input_ids"]
            for text, has in zip(table["prompt"][part], begun[part], strict=True)
        ]
        after = tokenizer(table["completion"][part], add_special_tokens=False)["input_ids"]
        for prompt, completion, task in zip(before, after, table["task"][part], strict=True):
            reason = _unusable(prompt, completion, max_length, special)
            if reason:
                left_out[reason] += 1
                continue
            tokens += [*prompt, *completion, tokenizer.eos_token_id]
            starts.append(len(tokens))
            prompts.append(len(prompt))
            tasks.append(task)
    if not tasks:
        raise InputError(
            f"{rows}: nothing to train on: of {len(begun)} examples {left_out['long']} are longer than "
            f"training.max_length ({max_length} tokens) and {left_out['special']} contain a special token"
        )
    return Encoded(np.array(tokens, np.int32), np.array(starts), np.array(prompts), tasks, dict(left_out))


def _unusable(prompt: list[int], completion: list[int], max_length: int, special: set[int]) -> str | None:
    if len(prompt) + len(completion) + 1 > max_length:
        return "long"
    return "special" if special.intersection(completion) else None
