"""What a stage is given: the configuration, the run, its problems, and the services."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmst.config import Config, EngineConfig
from mmst.errors import InputError
from mmst.methods import all_methods
from mmst.methods.asking import AnyStyle, Asking, asking_for, role_of
from mmst.methods.base import Method, Model
from mmst.problems.record import Problem
from mmst.progress import Reporter
from mmst.runs.directory import Commit, RunDirectory
from mmst.runs.files import checksum
from mmst.stages.services import Services
from mmst.stages.solving import Roles, Solver
from mmst.tracking import Figures


@dataclass(frozen=True)
class Job:
    """Everything that the stages of one run work with. `problems` has the sets train, dev, test and annotated."""

    config: Config
    run: RunDirectory
    problems: dict[str, list[Problem]]
    methods: list[Method]
    services: Services
    report: Reporter
    figures: Figures = field(default_factory=Figures)

    @functools.cached_property
    def all_methods(self) -> dict[str, Method]:
        """Every method there is, with the settings of this run: round 0 may train ones that rounds don't use."""
        return all_methods(self.config)

    def current_checkpoint(self, number: int) -> Path | str:
        """The checkpoint that the loop holds after round `number`: inside the run, or as it was given.

        Raises InputError for one that is missing or damaged.
        """
        held = self.run.round(number).figures("promote")
        inside = self.run.root / held["checkpoint"]
        if held["checkpoint"].startswith("round-") and not inside.is_dir():
            said = self.run.round(number).manifest_path("promote")
            raise InputError(f"{inside}: is missing, though {said} says that the run goes on with it; restore it")
        if inside.parent.name != "checkpoints" or not self.run.round(held["round"]).done("train"):
            return located(held["checkpoint"])
        self.run.round(held["round"]).intact("train")
        return inside.resolve()

    def solver(self, after_round: int, commit: Commit, temperature: float = 0.0, top_p: float = 1.0) -> Solver:
        """The checkpoint after a round, loaded and ready to solve; loading counts as `engine` in the commit."""
        return self.solver_for(self.current_checkpoint(after_round), commit, temperature, top_p)

    def solver_for(
        self,
        checkpoint: Path | str,
        commit: Commit,
        temperature: float = 0.0,
        top_p: float = 1.0,
        *,
        style: AnyStyle | None = None,
        engine: EngineConfig | None = None,
    ) -> Solver:
        """A checkpoint with those of its other roles, loaded and ready to solve; `style` and `engine` where they are
        not those of the model."""
        names, models = {}, {}
        for role in self.config.roles:
            own = role_of(checkpoint, role)
            with commit.timed("engine"):
                served = self.services.engine(own, role, engine)
            commit.engines.append({"checkpoint": str(own), **served.report})
            names[role], models[role] = name_of(own), served
        asking = asking_for(checkpoint, style or self.config.model.style)
        return self.solver_by(Roles(models), asking, names, commit, temperature, top_p, engine)

    def solver_by(
        self,
        model: Model,
        asking: Asking,
        names: Mapping[str, str],
        commit: Commit,
        temperature: float = 0.0,
        top_p: float = 1.0,
        engine: EngineConfig | None = None,
    ) -> Solver:
        """Any model, ready to solve; `names` says in the rows who wrote them, by role."""
        with commit.timed("judges"):
            judges = self.services.judges()
        settings = engine or self.config.engine
        in_flight = self.config.cluster.in_flight * max(1, settings.replicas or settings.max_replicas)
        return Solver(
            asking=asking,
            model=model,
            judge=judges.judge,
            checkpoints=names,
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
