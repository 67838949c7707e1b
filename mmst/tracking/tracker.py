"""What a tracker does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Tracker(Protocol):
    """A library that keeps curves: `values` at `step` of the axis that they share."""

    def log(self, values: Mapping[str, float], axis: str, step: int) -> None: ...

    def close(self) -> None: ...
