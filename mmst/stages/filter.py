"""Filter: label each problem, keep what agrees with the label, once, and give every solution its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, zip_longest

from mmst.errors import InputError
from mmst.methods import METHODS
from mmst.records import FilterDecision, Solution
from mmst.runs.directory import RoundDirectory
from mmst.runs.stages import KEEPING
from mmst.runs.tables import read_table, write_table
from mmst.selection import Decision, Label, SolutionFilter, label_problem, over_balance, reasons, with_gold_key
from mmst.stages.context import StageContext
from mmst.verify.answers import read_answer

DECISIONS = "decisions.parquet"
"""Beside the parts of `hint` and `translate`; the decisions of what was generated stand above them."""


@dataclass
class Tally:
    """Figures of decisions, counted as they pass."""

    solutions: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    problems: int = 0
    _last: str | None = None

    def count(self, rows: Iterable[FilterDecision]) -> Iterator[FilterDecision]:
        """The same rows; those of one problem stand together."""
        for row in rows:
            self.solutions += 1
            self.reasons.update(reasons([Decision(row.kept, row.reason)]))
            if row.kept:
                self.kept[row.method] += 1
                self.problems += row.problem_id != self._last
                self._last = row.problem_id
            yield row


def filter_(context: StageContext, round_: RoundDirectory) -> None:
    """Write `decisions.parquet`. Memory holds no rows, only what the solution_filter remembers of what is kept."""
    tally, balance = Tally(), context.config.filter.balance
    with round_.stage("filter") as commit:
        rows = _decided(context, round_, tally.labels)
        if balance is None:
            write_table(round_.decisions, FilterDecision, tally.count(rows))
        else:
            write_table(round_.decisions, FilterDecision, rows)
            kept = (
                (r.solution_id, r.problem_id, r.method) for r in read_table(round_.decisions, FilterDecision) if r.kept
            )
            surplus = over_balance(kept, balance)
            rows = (
                replace(row, kept=False, reason="balance") if row.solution_id in surplus else row
                for row in read_table(round_.decisions, FilterDecision)
            )
            write_table(round_.decisions, FilterDecision, tally.count(rows))
        commit.parts = [round_.part(round_.decisions, tally.solutions)]
        commit.figures = {
            "solutions": tally.solutions,
            "kept": tally.kept.total(),
            "kept_by_method": {method.name: tally.kept[method.name] for method in context.methods},
            "problems_with_kept": tally.problems,
            "labels": dict(tally.labels),
            "reasons": dict(tally.reasons.most_common()),
        }


def _decided(context: StageContext, round_: RoundDirectory, labels: Counter[str]) -> Iterator[FilterDecision]:
    """The decision of every solution of a round, in the order of the solutions, before any balance."""
    answers = {problem.id: problem.answer for problem in context.problems["train"] if problem.answer}
    solution_filter = primed_filter(context, round_.number)
    for problem_id, solutions in by_problem(_solutions(round_, "generate")):
        reference = read_answer(answers[problem_id]) if problem_id in answers else None
        key = reference.key if reference else None
        if reference and context.config.filter.label != "agreement":
            solutions = [with_gold_key(solution, reference) for solution in solutions]
        label = label_problem(solutions, key, context.config.filter, round_.number)
        text = reference.text if reference and label.source == "gold" else label.answer
        labels[label.source or "none"] += 1
        if label.source == "agreement" and key is not None:
            # Known only where reference answers exist; they are looked at for this figure and nothing else.
            labels["agreement_right" if label.key == key else "agreement_wrong"] += 1
        for solution, decision in zip(solutions, solution_filter.decide(solutions, label), strict=True):
            yield _decision_row(solution, decision, label, text)


def primed_filter(context: StageContext, number: int, *, with_round: bool = False) -> SolutionFilter:
    """A solution_filter that knows what earlier rounds kept, and with `with_round` what this one has kept so far."""
    solution_filter = SolutionFilter(
        context.config.filter,
        lambda method, text: METHODS[method].duplicate_key(text),
        lambda method, text: METHODS[method].false_calculation(text),
    )
    for earlier in range(1, number):
        for stage in KEEPING:
            solution_filter.remember(read_kept(context.run.round(earlier), stage))
    if with_round:
        for stage in KEEPING:
            solution_filter.remember(read_kept(context.run.round(number), stage))
    return solution_filter


def read_kept(round_: RoundDirectory, stage: str) -> Iterator[Solution]:
    """The solutions that a round's `filter` (generated), `hint` (generated with the answer at hand) or `translate`
    (translated) kept; none where it isn't done."""
    if not round_.done(stage):
        return
    round_.intact(stage)
    path = {
        "filter": round_.decisions,
        "rationalize": round_.rationalizations / DECISIONS,
        "translate": round_.translations / DECISIONS,
    }[stage]
    solutions = _solutions(round_, "generate" if stage == "filter" else stage)
    for solution, decision in zip_longest(solutions, read_table(path, FilterDecision)):
        if solution is None or decision is None or solution.solution_id != decision.solution_id:
            raise InputError(f"{path}: its rows are not those of the solutions beside it, in their order")
        if decision.kept:
            yield solution


def decisions_by_labels(
    round_: RoundDirectory,
    solutions: Iterable[Solution],
    solution_filter: SolutionFilter,
    refused: Callable[[Solution], str | None] = lambda solution: None,
) -> list[FilterDecision]:
    """What becomes of solutions that were written for problems which the round's filter has labelled: kept like
    everything else (verified, equal to the label, not false, not a duplicate), unless `refused` says why not."""
    labels = {row.problem_id: row for row in read_table(round_.decisions, FilterDecision) if row.label_key is not None}
    rows = []
    for solution in solutions:
        held = labels[solution.problem_id]
        label = Label(held.label_key, held.label, None, held.support, 0)
        if held.label_source == "gold" and (reference := read_answer(str(held.label))):
            solution = with_gold_key(solution, reference)
        right = solution.status == "ok" and solution.key == label.key
        if right and (reason := refused(solution)):
            decision = Decision(False, reason)
        else:
            (decision,) = solution_filter.decide([solution], label)
        rows.append(
            replace(
                held,
                solution_id=solution.solution_id,
                method=solution.method,
                kept=decision.kept,
                reason=decision.reason,
            )
        )
    return rows


def by_problem(solutions: Iterable[Solution]) -> Iterator[tuple[str, list[Solution]]]:
    """Solutions problem by problem; they stand together in the files."""
    for problem_id, group in groupby(solutions, key=lambda solution: solution.problem_id):
        yield problem_id, list(group)


def _solutions(round_: RoundDirectory, stage: str) -> Iterator[Solution]:
    """What was verified, in the order of the parts; turns on the way to a solution have no decision of their own."""
    for path in round_.part_paths(stage):
        if path.name.startswith("part-"):
            yield from (row for row in read_table(path, Solution) if row.status != "turn")


def _decision_row(solution: Solution, decision: Decision, label: Label, text: str | None) -> FilterDecision:
    return FilterDecision(
        solution.solution_id,
        solution.problem_id,
        solution.method,
        text,
        label.key,
        label.source,
        label.support,
        decision.kept,
        decision.reason,
    )


def refuse_nothing_kept(round_: RoundDirectory) -> None:
    """Stop a round that kept nothing, since training would have nothing to learn from. Raises InputError with the
    reasons."""
    figures = round_.figures("filter")
    if figures["kept"] + round_.figures("rationalize").get("kept", 0) == 0:
        why = ", ".join(f"{count} {reason}" for reason, count in figures["reasons"].items())
        raise InputError(
            f"round {round_.number} kept none of {figures['solutions']} solutions ({why}). See {round_.decisions}; "
            "usual causes are a model that solves no problem, a wrong answer field, or a `filter` that is too strict."
        )
