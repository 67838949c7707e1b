"""Translate: what one method got right, rewritten into the others by the same model (MMST, section 3)."""

from __future__ import annotations

from collections import Counter
from itertools import chain

from mmst.methods.method import Method
from mmst.records import FilterDecision, Solution
from mmst.runs.directory import RoundDirectory
from mmst.runs.tables import read_table, write_table
from mmst.selection import Decision, plan_translations, reasons
from mmst.stages.context import StageContext
from mmst.stages.filter import DECISIONS, decisions_by_labels, primed_filter, read_kept
from mmst.stages.parts import write_parts
from mmst.stages.writer import writer

_PART = 2048


def translate(context: StageContext, round_: RoundDirectory) -> None:
    """Write `translations/part-*.parquet` and `translations/decisions.parquet`."""
    settings, number = context.config.translate, round_.number
    questions = {problem.id: problem.question for problem in context.problems["train"]}
    with round_.stage("translate") as commit:
        kept = chain(read_kept(round_, "filter"), read_kept(round_, "rationalize"))
        plan = plan_translations(kept, context.methods, settings)
        with (
            writer(context, round_, "translate", commit, settings.temperature) as solver,
            commit.timed("translate"),
            context.report.bar("translating", len(plan), "solutions") as bar,
        ):

            async def rewrite(item: tuple[Solution, Method]) -> list[Solution]:
                origin, target = item
                question = questions[origin.problem_id] if settings.include_question else None
                row = await solver.translate(origin, context.all_methods[origin.method], target, question, number)
                bar.advance(1, row.tokens)
                return [row]

            at_once = 1 + -(-2 * context.config.cluster.in_flight // _PART)
            written = context.runtime.wait(write_parts(round_.translations, plan, _PART, at_once, rewrite, bar.advance))
        translations = (row for path, _ in written for row in read_table(path, Solution))
        rows = decisions_by_labels(round_, translations, primed_filter(context, number, with_round=True))
        decisions = round_.translations / DECISIONS
        write_table(decisions, FilterDecision, rows)
        commit.parts = [*(round_.part(path, count) for path, count in written), round_.part(decisions, len(rows))]
        commit.figures |= {
            "translations": len(rows),
            "kept": sum(row.kept for row in rows),
            "kept_by_method": {m.name: sum(r.kept for r in rows if r.method == m.name) for m in context.methods},
            "made_by_method": dict(Counter(row.method for row in rows)),
            "reasons": dict(reasons(Decision(row.kept, row.reason) for row in rows)),
        }
