"""Asking for solutions and having them verified as they arrive, many at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from mmst.errors import GaveUp
from mmst.methods.method import Method, Model, SamplingParams
from mmst.methods.prompts import PromptFormat
from mmst.records import Completion, Problem, Request, Solution, Verdict
from mmst.runs.seeds import seed_of


@dataclass(frozen=True)
class Roles:
    """A model for each role behind one `complete`; the solver takes every role that has none."""

    models: Mapping[str, Model]

    async def complete(self, request: Request) -> Completion:
        """The completion by whoever has the request's role."""
        return await (self.models.get(request.role) or self.models["solver"]).complete(request)


@contextlib.asynccontextmanager
async def _named(work: str) -> AsyncIterator[None]:
    """Say what it was about when something was given up."""
    try:
        yield
    except GaveUp as error:
        raise type(error)(f"{work}: {error}") from error


@dataclass(frozen=True)
class Solver:
    """The checkpoint of a round at work on problems.

    `checkpoints` names the weights of each role in the rows, `seed` is the run's, `slots` bounds how many solutions
    are under way.
    """

    prompt_format: PromptFormat
    model: Model
    verify: Callable[[str, Completion], Awaitable[Verdict]]
    checkpoints: Mapping[str, str]
    seed: int
    slots: asyncio.Semaphore
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0

    async def solve(self, problem: Problem, method: Method, sample: int, round_: int, purpose: str) -> list[Solution]:
        """One solution of one problem by one method: a row per turn, the last one with the verdict."""

        def seed(role: str, turn: int) -> int:
            return seed_of(self.seed, round_, problem.id, method.name, sample, role, turn, purpose, "")

        async with self.slots, _named(f"problem {problem.id}, {method.name}, sample {sample}"):
            sampling = SamplingParams(seed, self.max_tokens, self.temperature, self.top_p)
            turns = await method.solve(problem, self.prompt_format, self.model, self.verify, sampling)
            verdict = await self.verify(method.name, turns[-1].completion)
        prefix = f"{purpose}-{round_}/{problem.id}/{method.name}/{sample}"
        rows = []
        for number, turn in enumerate(turns):
            last = number == len(turns) - 1
            given = verdict if last else Verdict("turn")
            rows.append(
                self._row(
                    prefix if last else f"{prefix}/{number}",
                    turn.request,
                    turn.completion,
                    given,
                    problem_id=problem.id,
                    round=round_,
                    method=method.name,
                    sample=sample,
                    role=turn.request.role,
                    turn=number,
                )
            )
        return rows

    async def translate(
        self, origin: Solution, source: Method, target: Method, question: str | None, round_: int
    ) -> Solution:
        """A solution rewritten into another method, verified."""
        seed = seed_of(
            self.seed, round_, origin.problem_id, target.name, origin.sample, "translator", 0, "translate",
            origin.solution_id,
        )  # fmt: skip
        prompt = source.translation_prompt(self.prompt_format, origin.text, target, question)
        request = Request(prompt, seed, self.max_tokens, self.temperature, self.top_p, self.prompt_format.stop)
        async with self.slots, _named(f"problem {origin.problem_id}, {source.name} to {target.name}"):
            completion = await self.model.complete(request)
            verdict = await self.verify(target.name, completion)
        return self._row(
            f"{origin.solution_id}>{target.name}",
            request,
            completion,
            verdict,
            problem_id=origin.problem_id,
            round=round_,
            method=target.name,
            sample=origin.sample,
            role="translator",
            origin_id=origin.solution_id,
        )

    def _row(
        self, solution_id: str, request: Request, completion: Completion, verdict: Verdict, **where: str | int | None
    ) -> Solution:
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
            **where,  # type: ignore[arg-type]
        )
