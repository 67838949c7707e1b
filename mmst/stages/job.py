"""What a stage is given: the configuration, the run, its problems, and the services."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from mmst.config import Config
from mmst.methods.asking import asking_for
from mmst.methods.base import Method
from mmst.problems.record import Problem
from mmst.progress import Reporter
from mmst.runs.directory import Commit, RunDirectory
from mmst.runs.files import checksum
from mmst.stages.services import Services
from mmst.stages.solving import Solver


@dataclass(frozen=True)
class Job:
    """Everything that the stages of one run work with. `problems` has the sets train, dev, test and annotated."""

    config: Config
    run: RunDirectory
    problems: dict[str, list[Problem]]
    methods: list[Method]
    services: Services
    report: Reporter

    def current_checkpoint(self, number: int) -> Path | str:
        """The checkpoint that the loop holds after round `number`: inside the run, or as it was given."""
        recorded = self.run.round(number).figures("promote")["checkpoint"]
        inside = self.run.root / recorded
        return inside.resolve() if inside.is_dir() else located(recorded)

    def solver(self, after_round: int, commit: Commit, temperature: float = 0.0, top_p: float = 1.0) -> Solver:
        """The checkpoint after a round, loaded and ready to solve; loading counts as `engine` in the commit."""
        return self.solver_for(self.current_checkpoint(after_round), commit, temperature, top_p)

    def solver_for(
        self, checkpoint: Path | str, commit: Commit, temperature: float = 0.0, top_p: float = 1.0
    ) -> Solver:
        """A checkpoint, loaded and ready to solve."""
        with commit.timed("engine"):
            engine = self.services.engine(checkpoint)
        commit.engines.append({"checkpoint": str(checkpoint), **engine.report})
        with commit.timed("judges"):
            judges = self.services.judges()
        in_flight = self.config.cluster.in_flight * max(
            1, self.config.engine.replicas or self.config.engine.max_replicas
        )
        return Solver(
            asking=asking_for(checkpoint, self.config.model.style),
            model=engine,
            judge=judges.judge,
            checkpoint=name_of(checkpoint),
            seed=self.config.seed,
            slots=asyncio.Semaphore(in_flight),
            max_tokens=self.config.sampling.max_tokens,
            temperature=temperature,
            top_p=top_p,
        )


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
