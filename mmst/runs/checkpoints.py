"""Where a checkpoint is, and what identifies its weights."""

from __future__ import annotations

from pathlib import Path

from mmst.files import checksum


def located(model: str) -> Path | str:
    """A model as it was given: the directory where there is one, else the hub id."""
    path = Path(model).expanduser()
    return path.resolve() if path.is_dir() else model


def name_of(checkpoint: Path | str) -> str:
    """What identifies a checkpoint's weights in rows: a hash of its weight files, or its hub id."""
    if isinstance(checkpoint, str):
        return checkpoint
    weights = sorted(checkpoint.glob("*.safetensors"))
    return "+".join(checksum(file) for file in weights) or str(checkpoint)
