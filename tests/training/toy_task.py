"""A toy task: sums, with their answers in words."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Toy:
    """Rows of sums to train on, and an untrained model that knows their words."""

    rows: Path
    start: Path
