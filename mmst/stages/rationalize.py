"""Rationalize: solve unsolved problems again with the answer given; training does not show it (STaR, section 3.2)."""

from __future__ import annotations

from mmst.actors.solver import Solver
from mmst.methods.method import Method
from mmst.records import FilterDecision, Problem, Solution
from mmst.runs.directory import RoundDirectory
from mmst.runs.tables import read_table
from mmst.stages.context import StageContext
from mmst.stages.filter import decide_by_labels, read_kept
from mmst.stages.generate import problems_of
from mmst.stages.sampling import read_solutions, sample, statuses_of


def rationalize(context: StageContext, round_: RoundDirectory) -> None:
    """Write `rationalizations/part-*.parquet` and `rationalizations/decisions.parquet`."""
    unsolved = unsolved_problems(context, round_)
    items = [(p, m, number) for p in unsolved for m in context.methods for number in range(context.config.hint.k)]

    async def solve(solver: Solver, item: tuple[Problem, Method, int]) -> list[Solution]:
        problem, method, number = item
        question = solver.prompt_format.with_answer(problem.question, str(problem.answer))
        with_answer = problem.model_copy(update={"question": question})
        return await solver.solve(with_answer, method, number, round_.number, "hint")

    with round_.stage("rationalize") as commit:
        paths = sample(context, round_, "rationalize", commit, round_.rationalizations, items, solve)
        # A model that was given the answer can merely repeat it.
        figures = decide_by_labels(context, round_, commit, round_.rationalizations, paths, must_calculate=True)
        before, kept = round_.figures("filter")["kept"], figures["kept"]
        commit.figures |= figures | {
            "problems": len(unsolved),
            "grows_by": round(kept / before, 4) if before else None,
            "statuses": statuses_of(read_solutions(paths)),
        }
    context.report.line(
        f"  given the answer, {figures['problems_with_kept']:,} of {len(unsolved):,} unsolved problems were solved; "
        f"the round now keeps {before + kept:,} solutions, {kept:,} more"
    )


def unsolved_problems(context: StageContext, round_: RoundDirectory) -> list[Problem]:
    """Problems of this round with a reference answer and no kept solution in this round or an earlier one."""
    solved = {
        row.problem_id
        for number in range(1, round_.number + 1)
        for stage in ("filter", "rationalize")
        for row in read_kept(context.run.round(number), stage)
    }
    labelled = {row.problem_id for row in read_table(round_.decisions, FilterDecision) if row.label_source == "gold"}
    return [p for p in problems_of(context, round_.number) if p.id in labelled - solved]
