"""Generate: every train problem by every method, k samples each, verified as they arrive."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmst.actors.solver import Solver
from mmst.methods.method import Method
from mmst.problems.sets import drawn_problems
from mmst.records import Problem, Solution
from mmst.runs.directory import RoundDirectory
from mmst.stages.context import StageContext
from mmst.stages.sampling import read_solutions, sample, statuses_of


def generate(context: StageContext, round_: RoundDirectory) -> None:
    """Write `solutions/part-*.parquet`."""
    problems, samples = problems_of(context, round_.number), context.config.samples
    items = [(p, m, number) for p in problems for m in context.methods for number in range(samples[m.name])]

    async def solve(solver: Solver, item: tuple[Problem, Method, int]) -> list[Solution]:
        problem, method, number = item
        return await solver.solve(problem, method, number, round_.number, "solve")

    with round_.stage("generate") as commit:
        paths = sample(context, round_, "generate", commit, round_.solutions, items, solve)
        commit.figures |= {
            "problems": len(problems),
            "solutions": len(items),
            "tokens": sum(pc.sum(pq.read_table(path, columns=["tokens"])["tokens"]).as_py() for path in paths),
            "statuses": statuses_of(read_solutions(paths)),
            "sandbox": context.runtime.sandbox_counts(),
        }


def problems_of(context: StageContext, number: int) -> Sequence[Problem]:
    """The train problems that a round solves."""
    return drawn_problems(context.problems["train"], context.config.rounds.problems, context.config.seed, number)
