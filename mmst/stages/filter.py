"""Filter: label each problem, keep the solutions that agree with the label, and give every solution its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.records import FilterDecision, Solution
from mmst.runs.directory import Commit, RoundDirectory
from mmst.runs.stages import KEEPING
from mmst.runs.tables import read_table, write_table
from mmst.selection import Label, SolutionFilter, over_balance, same, tally
from mmst.stages.context import StageContext
from mmst.stages.sampling import read_solutions
from mmst.verify.answers import read_answer


def filter_solutions(context: StageContext, round_: RoundDirectory) -> None:
    """Write `decisions.parquet`. Memory holds no rows, only what the filter remembers of kept solutions."""
    labels: Counter[str] = Counter()
    with round_.stage("filter") as commit:
        rows = write_table(round_.decisions, FilterDecision, _decided(context, round_, labels))
        if (balance := context.config.filter.balance) is not None:
            surplus = over_balance(read_table(round_.decisions, FilterDecision), balance)
            balanced = (
                replace(row, kept=False, reason="balance") if row.solution_id in surplus else row
                for row in read_table(round_.decisions, FilterDecision)
            )
            write_table(round_.decisions, FilterDecision, balanced)
        commit.parts = [round_.part(round_.decisions, rows)]
        figures = tally(read_table(round_.decisions, FilterDecision), context.config.methods)
        commit.figures = {**figures, "labels": dict(labels)}


def _decided(context: StageContext, round_: RoundDirectory, labels: Counter[str]) -> Iterator[FilterDecision]:
    """The decision on every solution of a round, in their order, before balancing."""
    answers = {problem.id: problem.answer for problem in context.problems["train"] if problem.answer}
    with context.compare() as compare:
        solution_filter = SolutionFilter(context.config.filter, compare)
        remember_kept(context, solution_filter, range(1, round_.number))
        solutions = read_solutions(round_.part_paths("generate"))
        for problem_id, group in groupby(solutions, key=lambda solution: solution.problem_id):
            reference = read_answer(answers[problem_id]) if problem_id in answers else None
            rows = solution_filter.label_and_decide(list(group), reference, round_.number)
            labels[rows[0].label_source or "none"] += 1
            if rows[0].label_source == "agreement" and reference:
                # Only this figure uses the reference answer.
                agreed = read_answer(str(rows[0].label))
                right = rows[0].label_key == reference.key or (agreed and same(reference, agreed, compare))
                labels["agreement_right" if right else "agreement_wrong"] += 1
            yield from rows


def remember_kept(context: StageContext, solution_filter: SolutionFilter, rounds: range) -> None:
    """Make the filter remember the solutions that these rounds kept."""
    for number in rounds:
        for stage in KEEPING:
            solution_filter.remember(read_kept(context.run.round(number), stage))


def decide_by_labels(
    context: StageContext,
    round_: RoundDirectory,
    commit: Commit,
    folder: Path,
    paths: Sequence[Path],
    *,
    must_calculate: bool = False,
) -> dict[str, Any]:
    """Decide on solutions of problems that the round's filter has labelled; write `decisions.parquet` beside them.

    Returns the figures of the decisions.
    """
    labels = {row.problem_id: row for row in read_table(round_.decisions, FilterDecision) if row.label_key is not None}
    rows = []
    with context.compare() as compare:
        solution_filter = SolutionFilter(context.config.filter, compare, must_calculate=must_calculate)
        remember_kept(context, solution_filter, range(1, round_.number + 1))
        for solution in read_solutions(paths):
            of = labels[solution.problem_id]
            label = Label(of.label_key, of.label, of.label_source, of.support)
            rows += solution_filter.decide([solution], label)
    path = folder / round_.decisions.name
    write_table(path, FilterDecision, rows)
    commit.parts.append(round_.part(path, len(rows)))
    return tally(rows, context.config.methods)


def read_kept(round_: RoundDirectory, stage: str) -> Iterator[Solution]:
    """The solutions that a stage of KEEPING kept: generated, rationalized or translated; none if it is not done."""
    if not round_.done(stage):
        return
    *parts, decisions = round_.part_paths(stage)
    solutions = read_solutions(round_.part_paths("generate") if stage == "filter" else parts)
    for solution, decision in zip_longest(solutions, read_table(decisions, FilterDecision)):
        if solution is None or decision is None or solution.solution_id != decision.solution_id:
            raise InputError(f"{decisions}: its rows do not match the solutions of round {round_.number}")
        if decision.kept:
            yield solution


def refuse_nothing_kept(round_: RoundDirectory) -> None:
    """Raise InputError with the reasons if a round kept no solution, since there is nothing to train on."""
    figures = round_.figures("filter")
    if figures["kept"] + round_.figures("rationalize").get("kept", 0) == 0:
        why = ", ".join(f"{count} {reason}" for reason, count in figures["reasons"].items())
        raise InputError(
            f"round {round_.number} kept none of {figures['solutions']} solutions ({why}). See {round_.decisions}; "
            "usual causes are a model that solves no problem, a wrong answer field, or a `filter` that is too strict."
        )
