"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """`state`; what was `found`, in words; what to `do` about it, empty where it is ok."""

    state: Literal["ok", "warn", "fail"]
    found: str
    do: str = ""
