"""The rows that a round trains on: views of the data, kept solutions, kept translations."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mmst.config import TaskLimit
from mmst.errors import InputError
from mmst.methods import METHODS
from mmst.methods.asking import Asking
from mmst.methods.base import Example, Method, Solution
from mmst.problems.record import Problem


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A row of `pool.parquet`. `source` is view, native, translated or pair; `solution_id` leads to the solution
    that it shows, none for views."""

    prompt: str
    completion: str
    task: str
    source: str
    problem_id: str
    solution_id: str | None


def view_rows(
    problems: list[Problem], tasks: Mapping[str, TaskLimit], asking: Asking, seed: int, show_question: bool
) -> Iterator[TrainingRow]:
    """Rows from the views that came with the data: solutions (`pot`) and translations between views (`pot->cot`).

    Tasks with a limit take different problems as long as there are enough. Raises InputError for a task whose
    views no problem has.
    """
    order = list(problems)
    random.Random(f"{seed}:views").shuffle(order)
    used: set[str] = set()
    for task, settings in tasks.items():
        methods = _methods_of(task)
        able = [p for p in order if all(m.view in p.views for m in methods)]
        if settings.limit is not None:
            fresh_first = sorted(able, key=lambda p: p.id in used)
            able = fresh_first[: settings.limit]
            used |= {p.id for p in able}
        if not able and settings.limit != 0:
            views = " and ".join(f"`{m.view}`" for m in methods)
            raise InputError(f"round0.tasks.{task}: no problem has the view {views}")
        for problem in able:
            texts = [m.from_view(problem.views[m.view], problem.answer) for m in methods]
            if len(methods) == 1:
                example = asking.example(methods[0], problem.question, texts[0])
            else:
                question = problem.question if show_question else None
                example = asking.pair(methods[0], texts[0], methods[1], texts[1], question)
            yield _row(example, "view", problem.id, None)


def pool_rows(
    natives: Iterable[Solution],
    translations: Iterable[Solution],
    questions: Mapping[str, str],
    asking: Asking,
    pairs: bool,
    show_question: bool,
) -> Iterator[TrainingRow]:
    """Rows from kept solutions and kept translations; with `pairs` the latter also as translations."""
    originals = {}
    for solution in natives:
        originals[solution.solution_id] = solution
        yield _solved(solution, "native", questions, asking)
    for solution in translations:
        yield _solved(solution, "translated", questions, asking)
        if pairs:
            origin = originals[str(solution.origin_id)]
            question = questions[solution.problem_id] if show_question else None
            source, target = METHODS[origin.method], METHODS[solution.method]
            example = asking.pair(source, origin.text, target, solution.text, question)
            yield _row(example, "pair", solution.problem_id, solution.solution_id)


def _solved(solution: Solution, source: str, questions: Mapping[str, str], asking: Asking) -> TrainingRow:
    example = asking.example(METHODS[solution.method], questions[solution.problem_id], solution.text)
    return _row(example, source, solution.problem_id, solution.solution_id)


def _row(example: Example, source: str, problem_id: str, solution_id: str | None) -> TrainingRow:
    return TrainingRow(example.prompt, example.completion, example.task, source, problem_id, solution_id)


def _methods_of(task: str) -> list[Method]:
    names = task.split("->")
    if len(names) > 2 or any(name not in METHODS for name in names):
        raise InputError(f"round0.tasks: `{task}` is no method and no pair such as `pot->cot`")
    return [METHODS[name] for name in names]
