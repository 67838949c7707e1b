"""Generate: every train problem × every method × its samples, by the current model or its teacher, judged as they
arrive."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from mmst.methods.base import Method, Solution
from mmst.problems.record import Problem
from mmst.runs.directory import RoundDirectory
from mmst.runs.tables import read_table
from mmst.stages.job import Job
from mmst.stages.parts import write_parts
from mmst.stages.writer import writer

Item = TypeVar("Item")
_PART = 2048
"""Solutions per part, about: small enough that a crash costs little, large enough for columns to compress."""


def generate(job: Job, round_: RoundDirectory) -> None:
    """Write `solutions/part-*.parquet`."""
    sampling, samples = job.config.sampling, job.config.samples
    problems = problems_of(job, round_.number)
    with round_.stage("generate") as commit:
        each = sum(samples.values())
        with (
            writer(job, round_, "generate", commit, sampling.temperature) as solver,
            commit.timed("generate"),
            job.report.bar("solving", len(problems) * each, "solutions") as bar,
        ):

            async def attempt(problem: Problem, method: Method, sample: int) -> list[Solution]:
                rows = await solver.solve(problem, method, sample, round_.number, "solve")
                bar.advance(1, sum(row.tokens for row in rows))
                return rows

            async def solve(item: tuple[Problem, Method, int]) -> list[Solution]:
                return await attempt(*item)

            items = [(p, m, s) for p in problems for m in job.methods for s in range(samples[m.name])]
            size = max(1, _PART // each) * each
            at_once = 1 + -(-2 * job.config.cluster.in_flight // size)
            written = job.services.wait(write_parts(round_.solutions, items, size, at_once, solve, bar.advance))
        commit.parts = [round_.part(path, rows) for path, rows in written]
        statuses: dict[str, Counter[str]] = {method.name: Counter() for method in job.methods}
        tokens = 0
        for path, _ in written:
            for row in read_table(path, Solution):
                tokens += row.tokens
                if row.status != "turn":
                    statuses[row.method][row.status] += 1
        commit.figures |= {
            "problems": len(problems),
            "solutions": sum(sum(counts.values()) for counts in statuses.values()),
            "tokens": tokens,
            "statuses": {name: dict(counts.most_common()) for name, counts in statuses.items()},
            "sandbox": job.services.sandbox_counts(),
        }


def problems_of(job: Job, number: int) -> Sequence[Problem]:
    """The train problems that a round solves."""
    return drawn_problems(job.problems["train"], job.config.rounds.problems, job.config.seed, number)


def drawn_problems(train: Sequence[Item], wanted: int | None, seed: int, number: int) -> Sequence[Item]:
    """So many of the train problems, drawn anew for every round; all where none says how many."""
    if wanted is None or wanted >= len(train):
        return train
    chosen = random.Random(f"{seed}:problems:{number}").sample(range(len(train)), wanted)
    return [train[index] for index in sorted(chosen)]
