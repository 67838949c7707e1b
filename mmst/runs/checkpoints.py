"""Finding a checkpoint and naming its weights."""

from __future__ import annotations

from pathlib import Path

from mmst.files import checksum


def located(model: str) -> Path | str:
    """The absolute directory of a model, or its hub id if there is no such directory."""
    path = Path(model).expanduser()
    return path.resolve() if path.is_dir() else model


def name_of(checkpoint: Path | str) -> str:
    """The name of a checkpoint in rows: a hash of its weight files, or its hub id."""
    if isinstance(checkpoint, str):
        return checkpoint
    weights = sorted(checkpoint.glob("*.safetensors"))
    return "+".join(checksum(file) for file in weights) or str(checkpoint)
