"""Filter: label each problem, keep what agrees with the label, once, and give every solution its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from mmst.answers import read_answer
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


def filter_(job: Job, round_: RoundDirectory) -> None:
    """Write `fates.parquet`."""
    gold = {p.id: answer for p in job.problems["train"] if p.answer and (answer := read_answer(p.answer))}
    keeper = primed_keeper(job, round_.number)
    labels: Counter[str] = Counter()
    rows: list[FateRow] = []
    with round_.stage("filter") as commit:
        for problem_id, solutions in by_problem(_solutions(round_)):
            reference = gold.get(problem_id)
            key = reference.key if reference else None
            if reference and job.config.filter.label != "agreement":
                solutions = [with_gold_key(solution, reference) for solution in solutions]
            label = label_problem(solutions, key, job.config.filter, round_.number)
            text = reference.text if reference and label.source == "gold" else label.answer
            labels[label.source or "none"] += 1
            if label.source == "agreement" and key is not None:
                # Known only where reference answers exist; they are looked at for this figure and nothing else.
                labels["agreement_right" if label.key == key else "agreement_wrong"] += 1
            fates = keeper.decide(solutions, label)
            rows += [_fate_row(s, f, label, text) for s, f in zip(solutions, fates, strict=True)]
        kept = [(row.solution_id, row.problem_id, row.method) for row in rows if row.kept]
        surplus = over_balance(kept, job.config.filter.balance)
        rows = [replace(r, kept=False, reason="balance") if r.solution_id in surplus else r for r in rows]
        write_table(round_.fates, FateRow, rows)
        commit.parts = [round_.part(round_.fates, len(rows))]
        commit.figures = {
            "solutions": len(rows),
            "kept": sum(row.kept for row in rows),
            "kept_by_method": {m.name: sum(r.kept for r in rows if r.method == m.name) for m in job.methods},
            "problems_with_kept": len({row.problem_id for row in rows if row.kept}),
            "labels": dict(labels),
            "reasons": dict(reasons(Fate(row.kept, row.reason) for row in rows)),
        }


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
    fates = {"filter": round_.fates, "hint": round_.hints / FATES, "translate": round_.translations / FATES}[stage]
    ids = {row.solution_id for row in read_table(fates, FateRow) if row.kept}
    for path in _tables(round_, "generate" if stage == "filter" else stage):
        yield from (row for row in read_table(path, Solution) if row.solution_id in ids)


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


def _tables(round_: RoundDirectory, stage: str) -> list[Path]:
    return [path for path in round_.part_paths(stage) if path.name.startswith("part-")]


def _solutions(round_: RoundDirectory) -> Iterator[Solution]:
    """What was judged; turns on the way to a solution have no fate of their own."""
    for path in _tables(round_, "generate"):
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
