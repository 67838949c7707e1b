"""Solving: prompt a model for solutions, many at a time, and have them verified as they arrive."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmst.errors import GaveUp
from mmst.methods.method import Method, Model, SamplingParams
from mmst.methods.prompts import PromptFormat
from mmst.records import Completion, Problem, Request, Solution, Turn, Verdict
from mmst.runs.identity import seed_of


@dataclass(frozen=True)
class Roles:
    """One model per role behind one `complete`; a role without a model uses the solver's."""

    models: Mapping[str, Model]

    async def complete(self, request: Request) -> Completion:
        """The completion by the model of the request's role."""
        return await (self.models.get(request.role) or self.models["solver"]).complete(request)


@dataclass(frozen=True)
class Solver:
    """A model that solves problems, or translates solutions, with its prompt format and sampling parameters.

    `verify` takes a method's name and a completion. `checkpoints` names the model of each role in the rows, `seed` is
    the run's. At most `in_flight` solutions are in progress at once; `slots` counts them.
    """

    prompt_format: PromptFormat
    model: Model
    verify: Callable[[str, Completion], Awaitable[Verdict]]
    checkpoints: Mapping[str, str]
    seed: int
    in_flight: int
    slots: asyncio.Semaphore
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0

    async def solve(self, problem: Problem, method: Method, sample: int, round_: int, purpose: str) -> list[Solution]:
        """One solution of one problem by one method: a row per turn, the last one with the verdict."""

        def seed(role: str, turn: int) -> int:
            return seed_of(self.seed, round_, problem.id, method.name, sample, role, turn, purpose, "")

        sampling = SamplingParams(seed, self.max_tokens, self.temperature, self.top_p)
        async with self._slot(f"problem {problem.id}, {method.name}, sample {sample}"):
            turns = await method.solve(problem, self.prompt_format, self.model, self.verify, sampling)
            verdict = await self.verify(method.name, turns[-1].completion)
        where = {"problem_id": problem.id, "round": round_, "method": method.name, "sample": sample}
        name = f"{purpose}-{round_}/{problem.id}/{method.name}/{sample}"
        before = [
            self._row(f"{name}/{number}", turn, Verdict("turn"), role=turn.request.role, turn=number, **where)
            for number, turn in enumerate(turns[:-1])
        ]
        return [*before, self._row(name, turns[-1], verdict, role=turns[-1].request.role, turn=len(before), **where)]

    async def translate(
        self, origin: Solution, source: Method, target: Method, question: str | None, round_: int
    ) -> list[Solution]:
        """A solution rewritten from the method `source` into `target`, as one row."""
        seed = seed_of(
            self.seed, round_, origin.problem_id, target.name, origin.sample, "translator", 0, "translate",
            origin.solution_id,
        )  # fmt: skip
        prompt = source.translation_prompt(self.prompt_format, origin.visible, target, question)
        request = Request(prompt, seed, self.max_tokens, self.temperature, self.top_p, self.prompt_format.stop)
        async with self._slot(f"problem {origin.problem_id}, {source.name} to {target.name}"):
            completion = await self.model.complete(request)
            verdict = await self.verify(target.name, completion)
        where = {"problem_id": origin.problem_id, "round": round_, "method": target.name, "sample": origin.sample}
        name, turn = f"{origin.solution_id}>{target.name}", Turn(request, completion)
        return [self._row(name, turn, verdict, role="translator", origin_id=origin.solution_id, **where)]

    @contextlib.asynccontextmanager
    async def _slot(self, work: str) -> AsyncIterator[None]:
        """Wait for a slot; name the work in the error if the model gives up on it."""
        async with self.slots:
            try:
                yield
            except GaveUp as error:
                raise type(error)(f"{work}: {error}") from error

    def _row(self, solution_id: str, turn: Turn, verdict: Verdict, /, **where: Any) -> Solution:
        request, completion = turn.request, turn.completion
        return Solution(
            solution_id=solution_id,
            checkpoint=self.checkpoints.get(request.role) or self.checkpoints["solver"],
            seed=request.seed,
            prompt=request.prompt,
            text=completion.text,
            finish_reason=completion.finish_reason,
            tokens=completion.tokens,
            status=verdict.status,
            answer=verdict.answer,
            key=verdict.key,
            **where,
        )
