"""Generate: every train problem × every method × its samples, by the current model or its teacher, verified as they
arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mmst.methods.method import Method
from mmst.problems.sets import drawn_problems
from mmst.records import Problem, Solution
from mmst.runs.directory import RoundDirectory
from mmst.runs.tables import read_table
from mmst.stages.context import StageContext
from mmst.stages.parts import write_parts
from mmst.stages.writer import writer

_PART = 2048
"""Solutions per part, about: small enough that a crash costs little, large enough for columns to compress."""


def generate(context: StageContext, round_: RoundDirectory) -> None:
    """Write `solutions/part-*.parquet`."""
    sampling, samples = context.config.sampling, context.config.samples
    problems = problems_of(context, round_.number)
    with round_.stage("generate") as commit:
        each = sum(samples.values())
        with (
            writer(context, round_, "generate", commit, sampling.temperature) as solver,
            commit.timed("generate"),
            context.report.bar("solving", len(problems) * each, "solutions") as bar,
        ):

            async def attempt(problem: Problem, method: Method, sample: int) -> list[Solution]:
                rows = await solver.solve(problem, method, sample, round_.number, "solve")
                bar.advance(1, sum(row.tokens for row in rows))
                return rows

            async def solve(item: tuple[Problem, Method, int]) -> list[Solution]:
                return await attempt(*item)

            items = [(p, m, s) for p in problems for m in context.methods for s in range(samples[m.name])]
            size = max(1, _PART // each) * each
            at_once = 1 + -(-2 * context.config.cluster.in_flight // size)
            written = context.runtime.wait(write_parts(round_.solutions, items, size, at_once, solve, bar.advance))
        commit.parts = [round_.part(path, rows) for path, rows in written]
        statuses: dict[str, Counter[str]] = {method.name: Counter() for method in context.methods}
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
            "sandbox": context.runtime.sandbox_counts(),
        }


def problems_of(context: StageContext, number: int) -> Sequence[Problem]:
    """The train problems that a round solves."""
    return drawn_problems(context.problems["train"], context.config.rounds.problems, context.config.seed, number)
