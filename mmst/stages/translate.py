"""Translate: what one method got right, rewritten into the others by the same model (MMST, section 3)."""

from __future__ import annotations

from collections import Counter

from mmst.methods import METHODS
from mmst.methods.base import Method, Solution
from mmst.runs.directory import RoundDirectory
from mmst.runs.tables import read_table, write_table
from mmst.selection import Fate, Keeper, plan_translations
from mmst.stages.filter import labels_of, read_kept
from mmst.stages.job import Job
from mmst.stages.parts import write_parts

_PART = 2048


def translate(job: Job, round_: RoundDirectory) -> None:
    """Write `translations/part-*.parquet` and `translations/fates.parquet`."""
    settings, round_number = job.config.translate, round_.number
    questions = {problem.id: problem.question for problem in job.problems["train"]}
    with round_.stage("translate") as commit:
        plan = plan_translations(list(read_kept(round_, "filter")), job.methods, settings)
        solver = job.solver(round_number - 1, commit, settings.temperature)
        with commit.timed("translate"), job.report.bar("translating", len(plan), "solutions") as bar:

            async def rewrite(item: tuple[Solution, Method]) -> list[Solution]:
                origin, target = item
                question = questions[origin.problem_id] if settings.include_question else None
                row = await solver.translate(origin, METHODS[origin.method], target, question, round_number)
                bar.advance(1, row.tokens)
                return [row]

            at_once = 1 + -(-2 * job.config.cluster.in_flight // _PART)
            written = job.services.wait(write_parts(round_.translations, plan, _PART, at_once, rewrite, bar.advance))
