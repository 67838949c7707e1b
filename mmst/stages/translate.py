"""Translate: rewrite the kept solutions of each method into the others, by the same model (MMST, section 3)."""

from __future__ import annotations

from collections import Counter
from itertools import chain

from mmst.actors.solver import Solver
from mmst.methods.method import Method
from mmst.records import Solution
from mmst.runs.directory import RoundDirectory
from mmst.selection import plan_translations
from mmst.stages.context import StageContext
from mmst.stages.filter import decide_by_labels, read_kept
from mmst.stages.sampling import read_solutions, sample


def translate(context: StageContext, round_: RoundDirectory) -> None:
    """Write `translations/part-*.parquet` and `translations/decisions.parquet`."""
    settings = context.config.translate
    questions = {problem.id: problem.question for problem in context.problems["train"]}

    async def solve(solver: Solver, item: tuple[Solution, Method]) -> list[Solution]:
        origin, target = item
        question = questions[origin.problem_id] if settings.include_question else None
        return await solver.translate(origin, context.all_methods[origin.method], target, question, round_.number)

    with round_.stage("translate") as commit:
        kept = chain(read_kept(round_, "filter"), read_kept(round_, "rationalize"))
        items = plan_translations(kept, context.methods, settings)
        paths = sample(context, round_, "translate", commit, round_.translations, items, solve)
        figures = decide_by_labels(context, round_, commit, round_.translations, paths)
        made = Counter(row.method for row in read_solutions(paths))
        commit.figures |= figures | {"translations": figures["solutions"], "made_by_method": dict(made)}
