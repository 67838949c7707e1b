"""Evaluate: every method on dev and test problems, greedily, and votes of them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmst.actors.solver import Solver
from mmst.evaluation import Outcome, figures_of, paired
from mmst.files import write_json
from mmst.methods import cascade_order
from mmst.methods.card import HELD_OUT
from mmst.methods.method import Method
from mmst.problems.splits import Known, slices
from mmst.records import Problem, Solution
from mmst.runs.checkpoints import located
from mmst.runs.directory import RoundDirectory
from mmst.runs.tables import write_table
from mmst.selection import with_gold_key
from mmst.stages.context import StageContext
from mmst.stages.train import SNAPSHOT
from mmst.verify.answers import read_answer

REFERENCE = "_reference"
"""Ends the name of a method's figures where the data helped it."""
FLAT_WITHIN = 0.03
"""Round 0 is flat when no method's dev accuracy moved by this much over its last steps."""


def evaluate(context: StageContext, round_: RoundDirectory) -> None:
    """Write `evaluation/solutions.parquet` and `evaluation/figures.json`."""
    limit = context.config.evaluation.limit
    dev, test = context.problems["dev"][:limit], context.problems["test"][:limit]
    names = [method.name for method in context.methods]
    with round_.stage("evaluate") as commit:
        early = round_.root / "checkpoints" / SNAPSHOT
        before = None
        if early.is_dir():
            solver = context.solver_for(early, commit)
            with commit.timed("evaluate"):
                rows = answer_all(context, solver, dev, round_.number, "early")
                before = figures_of(outcomes_of(rows, dev), names)
        trained = round_.done("train")
        round_.intact("train")
        solver = context.solver_for(round_.checkpoint if trained else located(str(context.config.model.path)), commit)
        with commit.timed("evaluate"):
            samples = context.config.evaluation.samples
            rows = answer_all(context, solver, [*dev, *test], round_.number, "evaluate", samples)
        path = round_.evaluation / "solutions.parquet"
        write_table(path, Solution, rows)
        known = Known.from_problems([*context.problems["train"], *context.problems["annotated"]])
        order = cascade_order(context.methods, context.config.evaluation.cascade)
        on_dev = figures_of(outcomes_of(rows, dev), names, order=order)
        trust = {name: accuracy for name, accuracy in (on_dev["accuracy"] or {}).items() if name in names}
        on_test = figures_of(outcomes_of(rows, test, known), names, trust, order)
        if trained:
            write_json(round_.checkpoint / HELD_OUT, {"problems": len(dev), "accuracy": trust})
        figures: dict[str, Any] = {"dev": on_dev, "test": on_test, "flat": _flat(before, on_dev, names)}
        figures["statuses"] = statuses_of(rows)
        if round_.number:
            context.run.round(round_.number - 1).intact("evaluate")
            last = json.loads((context.run.round(round_.number - 1).evaluation / "figures.json").read_text())
            figures["against_last_round"] = {
                "dev": paired(last["dev"]["right"], on_dev["right"]),
                "test": paired(last["test"]["right"], on_test["right"]),
            }
        write_json(round_.evaluation / "figures.json", figures)
        commit.parts = [round_.part(path, len(rows)), round_.part(round_.evaluation / "figures.json")]
        # Which problems were solved stays in its file; a manifest and a line of metrics are for figures.
        commit.figures = figures | {s: {k: v for k, v in figures[s].items() if k != "right"} for s in ("dev", "test")}


def answer_all(
    context: StageContext, solver: Solver, problems: Sequence[Problem], number: int, purpose: str, samples: int = 1
) -> list[Solution]:
    """Every method's answers to every problem, in the order of the problems: one greedy, further `samples` drawn; and
    `<method>_reference`, greedily, where the data has done a part of the method's work."""
    drawing = replace(solver, temperature=context.config.sampling.temperature, top_p=context.config.sampling.top_p)
    pairs = [(problem, method) for problem in problems for method in context.methods]
    wanted = [(problem, method, n, "") for problem, method in pairs for n in range(samples)]
    wanted += [(p, helped, 0, REFERENCE) for p, method in pairs if (helped := method.with_reference(p))]
    with context.report.bar("evaluating", len(wanted), "solutions") as bar:

        async def answer(problem: Problem, method: Method, sample: int, help_: str) -> Solution:
            rows = await (drawing if sample else solver).solve(problem, method, sample, number, purpose + help_)
            bar.advance(1, sum(row.tokens for row in rows))
            return replace(rows[-1], method=method.name + help_)

        async def all_of_them() -> list[Solution]:
            return list(await asyncio.gather(*(answer(*each) for each in wanted)))

        return context.runtime.wait(all_of_them())


def outcomes_of(rows: Sequence[Solution], problems: Sequence[Problem], known: Known | None = None) -> list[Outcome]:
    """The answers, problem by problem, beside the reference answers; `known` names what is new in a problem."""
    given: dict[str, list[Solution]] = {}
    for row in rows:
        given.setdefault(row.problem_id, []).append(row)
    outcomes = []
    for problem in problems:
        answers = given[problem.id]
        reference = read_answer(problem.answer) if problem.answer is not None else None
        if reference:
            answers = [with_gold_key(row, reference) for row in answers]
        keys: dict[str, list[str | None]] = {}
        for row in sorted(answers, key=lambda row: row.sample):
            keys.setdefault(row.method, []).append(row.key if row.status == "ok" else None)
        aside = {method: keys.pop(method)[0] for method in list(keys) if method.endswith(REFERENCE)}
        greedy, further = ({m: k[0] for m, k in keys.items()}, {m: k[1:] for m, k in keys.items()})
        gold = reference.key if reference else None
        outcomes.append(Outcome(problem.id, greedy, gold, frozenset(slices(problem, known)), further, aside))
    return outcomes


def statuses_of(rows: Sequence[Solution]) -> dict[str, dict[str, int]]:
    """How many answers of each method got which verdict."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row.method, Counter())[row.status] += 1
    return {method: dict(of.most_common()) for method, of in counts.items()}


def _flat(before: Mapping[str, Any] | None, after: Mapping[str, Any], methods: Sequence[str]) -> bool | None:
    """Whether training longer on the same data would change nothing; none where it was not looked at."""
    if before is None or before["accuracy"] is None or after["accuracy"] is None:
        return None
    return all(abs(after["accuracy"][m] - before["accuracy"][m]) < FLAT_WITHIN for m in methods)
