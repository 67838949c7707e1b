"""Hint: what nothing was kept of is asked again, with the answer; what is kept is trained without it (STaR)."""

from __future__ import annotations

from mmst.methods import METHODS
from mmst.methods.method import Method
from mmst.records import FilterDecision, Problem, Solution
from mmst.runs.directory import RoundDirectory
from mmst.runs.tables import read_table, write_table
from mmst.selection import Decision, reasons
from mmst.stages.context import StageContext
from mmst.stages.evaluate import statuses_of
from mmst.stages.filter import DECISIONS, decisions_by_labels, primed_filter, read_kept
from mmst.stages.generate import problems_of
from mmst.stages.parts import write_parts
from mmst.stages.writer import writer

_PART = 2048


def rationalize(context: StageContext, round_: RoundDirectory) -> None:
    """Write `rationalizations/part-*.parquet` and `rationalizations/decisions.parquet`."""
    number = round_.number
    unsolved = unsolved_problems(context, round_)
    items = [(p, m, sample) for p in unsolved for m in context.methods for sample in range(context.config.hint.k)]
    with round_.stage("rationalize") as commit:
        if items:
            with (
                writer(context, round_, "rationalize", commit, context.config.sampling.temperature) as solver,
                commit.timed("rationalize"),
                context.report.bar("solving with hints", len(items), "solutions") as bar,
            ):

                async def attempt(item: tuple[Problem, Method, int]) -> list[Solution]:
                    problem, method, sample = item
                    question = solver.prompt_format.with_answer(problem.question, str(problem.answer))
                    rationalized = problem.model_copy(update={"question": question})
                    rows = await solver.solve(rationalized, method, sample, number, "hint")
                    bar.advance(1, sum(row.tokens for row in rows))
                    return rows

                at_once = 1 + -(-2 * context.config.cluster.in_flight // _PART)
                written = context.runtime.wait(
                    write_parts(round_.rationalizations, items, _PART, at_once, attempt, bar.advance)
                )
        else:
            written = []
        solutions = [row for path, _ in written for row in read_table(path, Solution) if row.status != "turn"]
        rows = decisions_by_labels(round_, solutions, primed_filter(context, number, with_round=True), only_stated)
        write_table(round_.rationalizations / DECISIONS, FilterDecision, rows)
        parts = [round_.part(path, count) for path, count in written]
        commit.parts = [*parts, round_.part(round_.rationalizations / DECISIONS, len(rows))]
        before, kept = round_.figures("filter")["kept"], sum(row.kept for row in rows)
        gained = len({row.problem_id for row in rows if row.kept})
        commit.figures |= {
            "problems": len(unsolved),
            "problems_with_kept": gained,
            "solutions": len(rows),
            "kept": kept,
            "kept_by_method": {m.name: sum(r.kept for r in rows if r.method == m.name) for m in context.methods},
            "grows_by": round(kept / before, 4) if before else None,
            "statuses": statuses_of(solutions),
            "reasons": dict(reasons(Decision(row.kept, row.reason) for row in rows)),
        }
    share = f"by {kept / before:.1%}, to" if before else "from nothing to"
    context.report.line(
        f"  {gained:,} of {len(unsolved):,} unsolved problems were solved with their answer at hand; the round's kept "
        f"solutions grow {share} {before + kept:,}"
    )


def unsolved_problems(context: StageContext, round_: RoundDirectory) -> list[Problem]:
    """Problems of this round with a reference answer of which nothing was kept, now or in earlier rounds."""
    solved = {
        row.problem_id
        for number in range(1, round_.number + 1)
        for stage in ("filter", "rationalize")
        for row in read_kept(context.run.round(number), stage)
    }
    labelled = {row.problem_id for row in read_table(round_.decisions, FilterDecision) if row.label_source == "gold"}
    return [p for p in problems_of(context, round_.number) if p.id in labelled - solved]


def only_stated(solution: Solution) -> str | None:
    """Why a solution teaches nothing although its answer is right: who was told the answer can merely repeat it."""
    return None if METHODS[solution.method].calculates(solution.text) else "no_calculation"
