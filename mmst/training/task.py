"""What a train worker is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmst.config import ScheduleConfig, TrainingConfig


@dataclass(frozen=True)
class Task:
    """What a worker needs to know. Paths are absolute and visible on every node."""

    start: str
    output: str
    storage: str
    training: TrainingConfig
    schedule: ScheduleConfig
    steps: int
    seed: int
    threads: int
    gpu: bool

    @property
    def data(self) -> Path:
        """The tokens (`Encoded`) and `order`, the example of each place of each step."""
        return Path(self.storage) / "data.npz"

    @property
    def progress(self) -> Path:
        """One line of JSON per event: start, step, export."""
        return Path(self.storage) / "progress.jsonl"
