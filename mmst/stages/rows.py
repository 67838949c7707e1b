"""The rows that a round trains on: views of the data, kept solutions, kept translations."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmst.config import TaskLimit
from mmst.errors import InputError
from mmst.methods import METHODS, method_and_view
from mmst.methods.method import Method
from mmst.methods.prompts import PromptFormat
from mmst.problems.noise import corrupted
from mmst.records import Example, Problem, Solution


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A row of `pool.parquet`. `role` says who learns from it, where roles have checkpoints of their own; `source` is
    view, native, rationalized, translated or pair; `solution_id` leads to the solution that it shows, none for views."""

    prompt: str
    completion: str
    task: str
    role: str
    source: str
    problem_id: str
    solution_id: str | None


def view_rows(
    problems: list[Problem],
    tasks: Mapping[str, TaskLimit],
    prompt_format: PromptFormat,
    seed: int,
    show_question: bool,
    noise: float = 0.0,
    methods: Mapping[str, Method] = METHODS,
) -> Iterator[TrainingRow]:
    """Rows from the views that came with the data: solutions (`pot`, or `program` by the view's name) and translations
    between views (`pot->cot`).

    Tasks with a limit take different problems as long as there are enough; a problem without the view is passed over.
    `noise` is the share of views that get a mistake, drawn for each problem and view. Raises InputError for a task
    whose views no problem has.
    """
    order = list(problems)
    random.Random(f"{seed}:views").shuffle(order)
    used: set[str] = set()
    for task, settings in tasks.items():
        shown = _shown_by(task, methods)
        able = [p for p in order if all(p.views.get(view) for _, view in shown)]
        if settings.limit is not None:
            fresh_first = sorted(able, key=lambda p: p.id in used)
            able = fresh_first[: settings.limit]
            used |= {p.id for p in able}
        if not able and settings.limit != 0:
            views = " and ".join(f"`{view}`" for _, view in shown)
            raise InputError(f"round0.tasks or views: {task}: no problem has the view {views}")
        for problem in able:
            texts = [m.from_view(_annotated(problem, view, seed, noise), problem.answer) for m, view in shown]
            if len(shown) == 1:
                examples = shown[0][0].examples(prompt_format, problem.question, texts[0])
            else:
                question = problem.question if show_question else None
                examples = [shown[0][0].translation_example(prompt_format, texts[0], shown[1][0], texts[1], question)]
            yield from (_row(example, "view", problem.id, None) for example in examples)


def _annotated(problem: Problem, view: str, seed: int, noise: float) -> Any:
    rng = random.Random(f"{seed}:noise:{problem.id}:{view}")
    return corrupted(problem.views[view], rng) if rng.random() < noise else problem.views[view]


def pool_rows(
    natives: Iterable[Solution],
    translations: Iterable[Solution],
    questions: Mapping[str, str],
    prompt_format: PromptFormat,
    pairs: bool,
    show_question: bool,
    chosen: Collection[str] | None = None,
    methods: Mapping[str, Method] = METHODS,
    rationalized: Iterable[Solution] = (),
) -> Iterator[TrainingRow]:
    """Rows from kept solutions and kept translations; with `pairs` the latter also as translations.

    `chosen` are the ids of the solutions that become rows, none means all. No row shows a hint, whatever it was that
    the solution came from.
    """
    originals: dict[str, tuple[str, str]] = {}
    for source, solutions in (("native", natives), ("rationalized", rationalized)):
        for solution in solutions:
            if pairs:
                originals[solution.solution_id] = solution.method, solution.text
            if chosen is None or solution.solution_id in chosen:
                yield from _solved(solution, source, questions, prompt_format, methods)
    for solution in translations:
        if chosen is not None and solution.solution_id not in chosen:
            continue
        yield from _solved(solution, "translated", questions, prompt_format, methods)
        if pairs:
            origin, text = originals[str(solution.origin_id)]
            question = questions[solution.problem_id] if show_question else None
            before, after = methods[origin], methods[solution.method]
            example = before.translation_example(prompt_format, text, after, solution.text, question)
            yield _row(example, "pair", solution.problem_id, solution.solution_id)


def _solved(
    solution: Solution,
    source: str,
    questions: Mapping[str, str],
    prompt_format: PromptFormat,
    methods: Mapping[str, Method],
) -> Iterator[TrainingRow]:
    for example in methods[solution.method].examples(prompt_format, questions[solution.problem_id], solution.text):
        yield _row(example, source, solution.problem_id, solution.solution_id)


def _row(example: Example, source: str, problem_id: str, solution_id: str | None) -> TrainingRow:
    return TrainingRow(example.prompt, example.completion, example.task, example.role, source, problem_id, solution_id)


def _shown_by(task: str, methods: Mapping[str, Method]) -> list[tuple[Method, str]]:
    """The methods that a task trains, each with the view that shows it."""
    found = [method_and_view(name, methods) for name in task.split("->")]
    if len(found) > 2 or None in found:
        raise InputError(
            f"round0.tasks or views: `{task}` is no method, no view of one, and no pair such as `pot->cot`"
        )
    return [pair for pair in found if pair is not None]
