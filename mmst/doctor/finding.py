"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """`found` says what there is, `do` how to fix it (empty if ok)."""

    state: Literal["ok", "warn", "fail"]
    found: str
    do: str = ""
