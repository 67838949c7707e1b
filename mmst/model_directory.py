"""Recognising a Hugging Face model directory without loading anything from it."""

from __future__ import annotations

from pathlib import Path

from mmst.errors import InputError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


def check_model_directory(directory: Path, name: str = "", *, tokenizer: bool = True) -> None:
    """Raise InputError unless `directory` holds a Hugging Face model: a config.json and, by default, a tokenizer.

    `name` is what the message calls the directory, such as `model.path: ./model`; by default its path.
    """
    name = name or str(directory)
    if not (directory / "config.json").is_file():
        raise InputError(f"{name}: not a Hugging Face model directory, it has no config.json")
    if tokenizer and not any((directory / file).is_file() for file in TOKENIZER_FILES):
        raise InputError(f"{name}: has no tokenizer; save it beside the model with `tokenizer.save_pretrained`")
