"""Recognising a Hugging Face model directory without loading anything from it."""

from __future__ import annotations

import os
from pathlib import Path

from mmst.errors import InputError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


def trusts_code() -> bool:
    """Whether Python code that a checkpoint brings may run: only if MMST_TRUST_REMOTE_CODE is 1. It is a variable, as
    no configuration or checkpoint from somebody else may decide it."""
    return os.environ.get("MMST_TRUST_REMOTE_CODE") == "1"


def check_model_directory(directory: Path, name: str = "", *, tokenizer: bool = True) -> None:
    """Raise InputError unless `directory` holds a Hugging Face model: a config.json and, by default, a tokenizer.

    `name` is what the message calls the directory, such as `model.path: ./model`; by default its path.
    """
    name = name or str(directory)
    if not (directory / "config.json").is_file():
        raise InputError(f"{name}: not a Hugging Face model directory, it has no config.json")
    if tokenizer and not any((directory / file).is_file() for file in TOKENIZER_FILES):
        raise InputError(f"{name}: has no tokenizer; save it beside the model with `tokenizer.save_pretrained`")
