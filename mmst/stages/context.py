"""What a stage is given: the configuration, the run, its problems, and the runtime."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmst.actors.solver import Roles, Solver
from mmst.config import Config, EngineConfig
from mmst.errors import InputError
from mmst.methods import all_methods
from mmst.methods.card import prompt_format_of, role_of
from mmst.methods.method import Method, Model
from mmst.methods.prompts import AnyStyle, PromptFormat
from mmst.progress import Reporter
from mmst.records import Problem
from mmst.runs.checkpoints import located, name_of
from mmst.runs.directory import Commit, RunDirectory
from mmst.stages.runtime import Runtime
from mmst.tracking import Figures


@dataclass(frozen=True)
class StageContext:
    """Everything that the stages of one run work with. `problems` has the sets train, dev, test and annotated."""

    config: Config
    run: RunDirectory
    problems: dict[str, list[Problem]]
    methods: list[Method]
    runtime: Runtime
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
                served = self.runtime.engine(own, role, engine)
            commit.engines.append({"checkpoint": str(own), **served.report})
            names[role], models[role] = name_of(own), served
        prompt_format = prompt_format_of(checkpoint, style or self.config.model.style)
        return self.solver_by(Roles(models), prompt_format, names, commit, temperature, top_p, engine)

    def solver_by(
        self,
        model: Model,
        prompt_format: PromptFormat,
        names: Mapping[str, str],
        commit: Commit,
        temperature: float = 0.0,
        top_p: float = 1.0,
        engine: EngineConfig | None = None,
    ) -> Solver:
        """Any model, ready to solve; `names` says in the rows who wrote them, by role."""
        with commit.timed("verifiers"):
            verifiers = self.runtime.verifiers()
        settings = engine or self.config.engine
        in_flight = self.config.cluster.in_flight * max(1, settings.replicas or settings.max_replicas)
        return Solver(
            prompt_format=prompt_format,
            model=model,
            verify=verifiers.verify,
            checkpoints=names,
            seed=self.config.seed,
            slots=asyncio.Semaphore(in_flight),
            max_tokens=self.config.sampling.max_tokens,
            temperature=temperature,
            top_p=top_p,
        )
