"""The input of every stage: the configuration, the run, its problems, and the runtime."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmst.actors.solver import Roles, Solver
from mmst.config import Config, EngineConfig
from mmst.errors import InputError
from mmst.methods import METHODS
from mmst.methods.card import prompt_format_of, role_of
from mmst.methods.method import Method, Model
from mmst.methods.prompts import AnyStyle, PromptFormat
from mmst.progress import Reporter
from mmst.records import Problem
from mmst.runs.directory import Commit, RunDirectory
from mmst.runs.identity import located, name_of
from mmst.selection.labels import Compare
from mmst.stages.runtime import Runtime
from mmst.tracking import Figures
from mmst.verify.answers import Comparer, compare_answers


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
        """Every registered method, with the settings of this run: round 0 may train methods that rounds don't use."""
        return {name: method.configured(self.config) for name, method in METHODS.items()}

    def current_checkpoint(self, number: int) -> Path | str:
        """The checkpoint that is promoted after round `number`: one of the run, or the model that was given.

        Raises InputError if it is missing or damaged.
        """
        round_ = self.run.round(self.run.round(number).figures("promote")["round"])
        if not round_.done("train") and self.config.model.path is not None:
            return located(self.config.model.path)
        if not round_.checkpoint.is_dir():
            manifest = self.run.round(number).manifest_path("promote")
            raise InputError(f"{round_.checkpoint}: is missing, but it is promoted by {manifest}; restore it")
        round_.intact("train")
        return round_.checkpoint.resolve()

    def solver(
        self, checkpoint: Path | str, commit: Commit, style: AnyStyle | None = None, engine: EngineConfig | None = None
    ) -> Solver:
        """Load a checkpoint, and those of its other roles, into engines. `style` and `engine` replace the settings of
        the model. The time counts as `engine` in the commit."""
        names, models = {}, {}
        for role in self.config.roles:
            own = role_of(checkpoint, role)
            with commit.timed("engine"):
                served = self.runtime.engine(own, role, engine)
            commit.engines.append({"checkpoint": str(own), **served.report})
            names[role], models[role] = name_of(own), served
        prompt_format = prompt_format_of(checkpoint, style or self.config.model.style)
        return self.solver_by(Roles(models), prompt_format, names, commit, engine)

    def solver_by(
        self,
        model: Model,
        prompt_format: PromptFormat,
        names: Mapping[str, str],
        commit: Commit,
        engine: EngineConfig | None = None,
    ) -> Solver:
        """A greedy solver that uses any model; `names` identifies the model of each role in the rows."""
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
            in_flight=in_flight,
            slots=asyncio.Semaphore(in_flight),
            max_tokens=self.config.sampling.max_tokens,
        )

    @contextlib.contextmanager
    def compare(self) -> Iterator[Compare]:
        """A function that compares answers, by canonical form and, if `filter.math_verify` is set, by Math-Verify."""
        if not self.config.filter.math_verify:
            yield compare_answers
            return
        with Comparer(workers=1) as comparer:
            yield lambda gold, answer: compare_answers(gold, answer) or comparer.compare_symbolic(gold, answer)
