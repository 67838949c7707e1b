"""Checks of the configured models before a run, an evaluation or a dry run begins."""

from __future__ import annotations

from pathlib import Path

from mmst.config import ModelConfig, TeacherConfig
from mmst.errors import InputError


def check_model(model: ModelConfig) -> None:
    """Refuse a base model that is a path without a model or without a tokenizer; a hub id is looked up later."""
    _check_path("model.path", model.path)


def check_teacher(teacher: TeacherConfig | None) -> None:
    """Refuse a teacher that is a path without a model, or whose key is not there."""
    if teacher is not None:
        _check_path("teacher.path", teacher.path)
        if teacher.endpoint is not None:
            teacher.endpoint.key()


def _check_path(field: str, given: str | None) -> None:
    if given is None or (not Path(given).exists() and not given.startswith((".", "/", "~"))):
        return
    path = Path(given).expanduser()
    if not (path / "config.json").is_file():
        raise InputError(f"{field}: {path} is no Hugging Face model directory (it has no config.json)")
    if not any((path / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")):
        raise InputError(f"{field}: {path} has no tokenizer; save it beside the model")
