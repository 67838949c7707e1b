"""Evaluate: every method on dev and test problems, and ensembles of the methods."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mmst.actors.solver import Solver
from mmst.evaluation import Outcome, figures_of, paired, without_problems
from mmst.files import write_json
from mmst.methods import cascade_order
from mmst.methods.card import HELD_OUT
from mmst.methods.method import Method
from mmst.problems.sets import Known, slices
from mmst.records import Problem, Solution
from mmst.runs.directory import RoundDirectory
from mmst.runs.identity import located
from mmst.runs.tables import write_table
from mmst.selection import matches
from mmst.selection.labels import Compare
from mmst.stages.context import StageContext
from mmst.stages.sampling import statuses_of
from mmst.verify.answers import compare_answers, read_answer

REFERENCE = "_reference"
"""Ends the name of a method's figures where the data does part of its work."""


def evaluate(context: StageContext, round_: RoundDirectory) -> None:
    """Write `evaluation/solutions.parquet` and `evaluation/figures.json`."""
    limit = context.config.evaluation.limit
    dev, test = context.problems["dev"][:limit], context.problems["test"][:limit]
    with round_.stage("evaluate") as commit:
        trained = round_.done("train")
        round_.intact("train")
        solver = context.solver(round_.checkpoint if trained else located(str(context.config.model.path)), commit)
        with commit.timed("evaluate"):
            samples = context.config.evaluation.samples
            rows = answer_all(context, solver, [*dev, *test], round_.number, "evaluate", samples)
        path = round_.evaluation / "solutions.parquet"
        write_table(path, Solution, rows)
        figures = _figures(context, rows, dev, test)
        if trained:
            accuracy = figures["dev"]["accuracy"] or {}
            trust = {name: accuracy[name] for name in context.config.methods if name in accuracy}
            write_json(round_.checkpoint / HELD_OUT, {"problems": len(dev), "accuracy": trust})
        if round_.number:
            context.run.round(round_.number - 1).intact("evaluate")
            last = json.loads((context.run.round(round_.number - 1).evaluation / "figures.json").read_text())
            figures["against_last_round"] = {
                name: paired(last[name]["right"], figures[name]["right"]) for name in ("dev", "test")
            }
        write_json(round_.evaluation / "figures.json", figures)
        commit.parts = [round_.part(path, len(rows)), round_.part(round_.evaluation / "figures.json")]
        commit.figures = figures | {name: without_problems(figures[name]) for name in ("dev", "test")}


def _figures(
    context: StageContext, rows: Sequence[Solution], dev: Sequence[Problem], test: Sequence[Problem]
) -> dict[str, Any]:
    """The figures of both sets, where accuracy on dev problems weighs the votes, and the statuses of all answers."""
    methods = context.config.methods
    order = cascade_order(context.methods, context.config.evaluation.cascade)
    known = Known.from_problems([*context.problems["train"], *context.problems["annotated"]])
    with context.compare() as compare:
        on_dev = figures_of(outcomes_of(rows, dev, compare=compare), methods, order=order)
        trust = {name: accuracy for name, accuracy in (on_dev["accuracy"] or {}).items() if name in methods}
        on_test = figures_of(outcomes_of(rows, test, known, compare), methods, trust, order)
    return {"dev": on_dev, "test": on_test, "statuses": statuses_of(rows)}


def answer_all(
    context: StageContext, solver: Solver, problems: Sequence[Problem], number: int, purpose: str, samples: int = 1
) -> list[Solution]:
    """Solve every problem by every method: one greedy sample, the further ones drawn. Rows keep the order of problems.

    A method for which the data does part of the work also answers greedily as `<method>_reference`.
    """
    sampling = context.config.sampling
    greedy = replace(solver, max_tokens=context.config.evaluation.max_tokens or solver.max_tokens)
    drawing = replace(greedy, temperature=sampling.temperature, top_p=sampling.top_p)
    pairs = [(problem, method) for problem in problems for method in context.methods]
    wanted = [(problem, method, n, "") for problem, method in pairs for n in range(samples)]
    wanted += [(p, helped, 0, REFERENCE) for p, method in pairs if (helped := method.with_reference(p))]
    with context.report.bar("evaluating", len(wanted), "solutions") as bar:

        async def answer(problem: Problem, method: Method, sample: int, suffix: str) -> Solution:
            rows = await (drawing if sample else greedy).solve(problem, method, sample, number, purpose + suffix)
            bar.advance(1, sum(row.tokens for row in rows))
            return replace(rows[-1], method=method.name + suffix)

        async def answer_each() -> list[Solution]:
            return list(await asyncio.gather(*(answer(*each) for each in wanted)))

        return context.runtime.wait(answer_each())


def outcomes_of(
    rows: Sequence[Solution],
    problems: Sequence[Problem],
    known: Known | None = None,
    compare: Compare = compare_answers,
) -> list[Outcome]:
    """The answers to each problem as they were given, and which of them are right; `known` tells what is new in it."""
    given: dict[str, list[Solution]] = {}
    for row in sorted(rows, key=lambda row: row.sample):
        given.setdefault(row.problem_id, []).append(row)
    outcomes = []
    for problem in problems:
        keys: dict[str, list[str | None]] = {}
        for row in given[problem.id]:
            keys.setdefault(row.method, []).append(row.key if row.status == "ok" else None)
        aside = {method: keys.pop(method)[0] for method in list(keys) if method.endswith(REFERENCE)}
        reference = read_answer(problem.answer) if problem.answer is not None else None
        right = {row.key for row in given[problem.id] if matches(reference, row, compare)} if reference else None
        outcomes.append(Outcome(problem.id, keys, right, frozenset(slices(problem, known)), aside))
    return outcomes
