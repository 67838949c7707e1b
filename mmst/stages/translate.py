"""Translate: what one method got right, rewritten into the others by the same model (MMST, section 3)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from mmst.answers import read_answer
from mmst.methods.base import Method, Solution
from mmst.runs.directory import RoundDirectory
from mmst.runs.tables import read_table, write_table
from mmst.selection import Fate, Label, plan_translations, reasons, with_gold_key
from mmst.stages.filter import TRANSLATION_FATES, FateRow, primed_keeper, read_kept
from mmst.stages.job import Job
from mmst.stages.parts import write_parts

_PART = 2048


def translate(job: Job, round_: RoundDirectory) -> None:
    """Write `translations/part-*.parquet` and `translations/fates.parquet`."""
    settings, number = job.config.translate, round_.number
    questions = {problem.id: problem.question for problem in job.problems["train"]}
    with round_.stage("translate") as commit:
        plan = plan_translations(read_kept(round_, "filter"), job.methods, settings)
        solver = job.solver(number - 1, commit, settings.temperature)
        with commit.timed("translate"), job.report.bar("translating", len(plan), "solutions") as bar:

            async def rewrite(item: tuple[Solution, Method]) -> list[Solution]:
                origin, target = item
                question = questions[origin.problem_id] if settings.include_question else None
                row = await solver.translate(origin, job.all_methods[origin.method], target, question, number)
                bar.advance(1, row.tokens)
                return [row]

            at_once = 1 + -(-2 * job.config.cluster.in_flight // _PART)
            written = job.services.wait(write_parts(round_.translations, plan, _PART, at_once, rewrite, bar.advance))
        rows = _fates(job, round_, [row for path, _ in written for row in read_table(path, Solution)])
        fates = round_.translations / TRANSLATION_FATES
        write_table(fates, FateRow, rows)
        commit.parts = [*(round_.part(path, count) for path, count in written), round_.part(fates, len(rows))]
        commit.figures = {
            "translations": len(rows),
            "kept": sum(row.kept for row in rows),
            "kept_by_method": {m.name: sum(r.kept for r in rows if r.method == m.name) for m in job.methods},
            "made_by_method": dict(Counter(row.method for row in rows)),
            "reasons": dict(reasons(Fate(row.kept, row.reason) for row in rows)),
        }


def _fates(job: Job, round_: RoundDirectory, translations: list[Solution]) -> list[FateRow]:
    """A translation is kept like everything else: judged, equal to the label, not false, not a duplicate."""
    keeper = primed_keeper(job, round_.number, with_round=True)
    labels = {row.problem_id: row for row in read_table(round_.fates, FateRow) if row.label_key is not None}
    rows = []
    for solution in translations:
        held = labels[solution.problem_id]
        label = Label(held.label_key, held.label, None, held.support, 0)
        if held.label_source == "gold" and (reference := read_answer(str(held.label))):
            solution = with_gold_key(solution, reference)
        (fate,) = keeper.decide([solution], label)
        rows.append(
            replace(
                held,
                solution_id=solution.solution_id,
                method=solution.method,
                kept=fate.kept,
                reason=fate.reason,
            )
        )
    return rows
