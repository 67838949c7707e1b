"""The seed of each request, which is the same in every rerun."""

from __future__ import annotations

import hashlib


def seed_of(*parts: object) -> int:
    """A 63-bit blake2b hash of the parts (run seed, round, problem, method, sample, role, turn, purpose, ...)."""
    text = "\x1f".join(str(part) for part in parts)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
