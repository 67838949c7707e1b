"""Filter: label each problem, keep what agrees with the label, once, and give every solution its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, zip_longest

from mmst.answers import read_answer
from mmst.errors import InputError
from mmst.methods import METHODS
from mmst.methods.base import Solution
from mmst.runs.directory import RoundDirectory
from mmst.runs.tables import read_table, write_table
from mmst.selection import Fate, Keeper, Label, label_problem, over_balance, reasons, with_gold_key
from mmst.stages.job import Job

FATES = "fates.parquet"
"""Beside the parts of `hint` and `translate`; the fates of what was generated stand above them."""
KEEPING = ("filter", "hint", "translate")
"""Stages that keep solutions."""


@dataclass(frozen=True, slots=True)
class FateRow:
    """A row of `fates.parquet`: what became of a solution, and the label that it was held against."""

    solution_id: str
    problem_id: str
    method: str
    label: str | None
    label_key: str | None
    label_source: str | None
    support: float
    kept: bool
    reason: str


@dataclass
class Tally:
    """Figures of fates, counted as they pass."""

    solutions: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    problems: int = 0
    _last: str | None = None

    def count(self, rows: Iterable[FateRow]) -> Iterator[FateRow]:
        """The same rows; those of one problem stand together."""
        for row in rows:
            self.solutions += 1
            self.reasons.update(reasons([Fate(row.kept, row.reason)]))
            if row.kept:
                self.kept[row.method] += 1
                self.problems += row.problem_id != self._last
                self._last = row.problem_id
            yield row


def filter_(job: Job, round_: RoundDirectory) -> None:
    """Write `fates.parquet`. Memory holds no rows, only what the keeper remembers of what is kept."""
    tally, balance = Tally(), job.config.filter.balance
    with round_.stage("filter") as commit:
        rows = _decided(job, round_, tally.labels)
        if balance is None:
            write_table(round_.fates, FateRow, tally.count(rows))
        else:
            write_table(round_.fates, FateRow, rows)
            kept = ((r.solution_id, r.problem_id, r.method) for r in read_table(round_.fates, FateRow) if r.kept)
            surplus = over_balance(kept, balance)
            rows = (
                replace(row, kept=False, reason="balance") if row.solution_id in surplus else row
                for row in read_table(round_.fates, FateRow)
            )
            write_table(round_.fates, FateRow, tally.count(rows))
        commit.parts = [round_.part(round_.fates, tally.solutions)]
        commit.figures = {
            "solutions": tally.solutions,
            "kept": tally.kept.total(),
            "kept_by_method": {method.name: tally.kept[method.name] for method in job.methods},
            "problems_with_kept": tally.problems,
            "labels": dict(tally.labels),
            "reasons": dict(tally.reasons.most_common()),
        }


def _decided(job: Job, round_: RoundDirectory, labels: Counter[str]) -> Iterator[FateRow]:
    """The fate of every solution of a round, in the order of the solutions, before any balance."""
    answers = {problem.id: problem.answer for problem in job.problems["train"] if problem.answer}
    keeper = primed_keeper(job, round_.number)
    for problem_id, solutions in by_problem(_solutions(round_, "generate")):
        reference = read_answer(answers[problem_id]) if problem_id in answers else None
        key = reference.key if reference else None
        if reference and job.config.filter.label != "agreement":
            solutions = [with_gold_key(solution, reference) for solution in solutions]
        label = label_problem(solutions, key, job.config.filter, round_.number)
        text = reference.text if reference and label.source == "gold" else label.answer
        labels[label.source or "none"] += 1
        if label.source == "agreement" and key is not None:
            # Known only where reference answers exist; they are looked at for this figure and nothing else.
            labels["agreement_right" if label.key == key else "agreement_wrong"] += 1
        for solution, fate in zip(solutions, keeper.decide(solutions, label), strict=True):
            yield _fate_row(solution, fate, label, text)


def primed_keeper(job: Job, number: int, *, with_round: bool = False) -> Keeper:
    """A keeper that knows what earlier rounds kept, and with `with_round` what this one has kept so far."""
    keeper = Keeper(
        job.config.filter,
        lambda method, text: METHODS[method].duplicate_key(text),
        lambda method, text: METHODS[method].false_calculation(text),
    )
    for earlier in range(1, number):
        for stage in KEEPING:
            keeper.remember(read_kept(job.run.round(earlier), stage))
    if with_round:
        for stage in KEEPING:
            keeper.remember(read_kept(job.run.round(number), stage))
    return keeper


def read_kept(round_: RoundDirectory, stage: str) -> Iterator[Solution]:
    """The solutions that a round's `filter` (generated), `hint` (generated with the answer at hand) or `translate`
    (translated) kept; none where it isn't done."""
    if not round_.done(stage):
        return
    round_.intact(stage)
    path = {"filter": round_.fates, "hint": round_.hints / FATES, "translate": round_.translations / FATES}[stage]
    solutions = _solutions(round_, "generate" if stage == "filter" else stage)
    for solution, fate in zip_longest(solutions, read_table(path, FateRow)):
        if solution is None or fate is None or solution.solution_id != fate.solution_id:
            raise InputError(f"{path}: its rows are not those of the solutions beside it, in their order")
        if fate.kept:
            yield solution


def fates_by_labels(
    round_: RoundDirectory,
    solutions: Iterable[Solution],
    keeper: Keeper,
    refused: Callable[[Solution], str | None] = lambda solution: None,
) -> list[FateRow]:
    """What becomes of solutions that were written for problems which the round's filter has labelled: kept like
    everything else (judged, equal to the label, not false, not a duplicate), unless `refused` says why not."""
    labels = {row.problem_id: row for row in read_table(round_.fates, FateRow) if row.label_key is not None}
    rows = []
    for solution in solutions:
        held = labels[solution.problem_id]
        label = Label(held.label_key, held.label, None, held.support, 0)
        if held.label_source == "gold" and (reference := read_answer(str(held.label))):
            solution = with_gold_key(solution, reference)
        right = solution.status == "ok" and solution.key == label.key
        if right and (reason := refused(solution)):
            fate = Fate(False, reason)
        else:
            (fate,) = keeper.decide([solution], label)
        rows.append(
            replace(held, solution_id=solution.solution_id, method=solution.method, kept=fate.kept, reason=fate.reason)
        )
    return rows


def by_problem(solutions: Iterable[Solution]) -> Iterator[tuple[str, list[Solution]]]:
    """Solutions problem by problem; they stand together in the files."""
    for problem_id, group in groupby(solutions, key=lambda solution: solution.problem_id):
        yield problem_id, list(group)


def _solutions(round_: RoundDirectory, stage: str) -> Iterator[Solution]:
    """What was judged, in the order of the parts; turns on the way to a solution have no fate of their own."""
    for path in round_.part_paths(stage):
        if path.name.startswith("part-"):
            yield from (row for row in read_table(path, Solution) if row.status != "turn")


def _fate_row(solution: Solution, fate: Fate, label: Label, text: str | None) -> FateRow:
    return FateRow(
        solution.solution_id,
        solution.problem_id,
        solution.method,
        text,
        label.key,
        label.source,
        label.support,
        fate.kept,
        fate.reason,
    )
