"""A training stage as its caller requests it, and as a train worker gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmst.config import ClusterConfig, ScheduleConfig, TrainingConfig


@dataclass(frozen=True)
class TrainingRequest:
    """One checkpoint to train.

    rows: Parquet file with columns `prompt`, `completion`, `task`.
    role: if given, only rows with this value in column `role` are used.
    start: model directory or hub id to start from.
    output: the new checkpoint directory; appears when it is complete.
    storage: directory for this stage's own files, visible on all nodes, to be deleted once the checkpoint is committed.
        If it holds saved steps of the same training, training resumes from there.
    mixture: weight of each task; a task that is not named has weight 1.
    name: prefix of the name of the Ray Train run.
    """

    rows: Path
    start: str | Path
    output: Path
    storage: Path
    training: TrainingConfig
    schedule: ScheduleConfig
    mixture: Mapping[str, float]
    cluster: ClusterConfig
    seed: int
    name: str
    role: str | None = None


@dataclass(frozen=True)
class Task:
    """The input of a train worker. Paths are absolute and visible on every node."""

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
        """The tokens (`Encoded`), and `order`: the example at each place of each step."""
        return Path(self.storage) / "data.npz"

    @property
    def progress(self) -> Path:
        """One line of JSON per event: start, step, export."""
        return Path(self.storage) / "progress.jsonl"
