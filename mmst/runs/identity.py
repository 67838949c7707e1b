"""Finding a checkpoint and naming its weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mmst.files import checksum


def seed_of(*parts: object) -> int:
    """A 63-bit blake2b hash of the parts (run seed, round, problem, method, sample, role, turn, purpose, ...)."""
    text = "\x1f".join(str(part) for part in parts)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


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
