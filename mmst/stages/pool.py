"""The pool, the rows that a round trains on: annotated solutions, kept solutions, kept translations."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mmst.config import TaskLimit
from mmst.errors import InputError
from mmst.methods import METHODS, method_and_view
from mmst.methods.method import Method
from mmst.methods.prompts import PromptFormat
from mmst.problems.noise import corrupted
from mmst.records import Example, Problem, Solution, TrainingRow
from mmst.runs.directory import RoundDirectory
from mmst.runs.stages import KEEPING
from mmst.stages.context import StageContext
from mmst.stages.filter import read_kept


def rows_of(context: StageContext, round_: RoundDirectory, prompt_format: PromptFormat) -> Iterator[TrainingRow]:
    """The rows of a round: annotations, then the solutions that this round and earlier ones kept."""
    config, methods, show = context.config, context.all_methods, context.config.translate.include_question
    if config.round0.enabled:
        zero = config.round0
        every = {view: TaskLimit() for view in zero.views or config.methods}
        tasks = zero.tasks or every
        if round_.number and config.training.annotations == "all":
            tasks = {**tasks, **every}
        yield from view_rows(
            context.problems["annotated"], tasks, prompt_format, config.seed, show, zero.noise, methods
        )
    questions = {problem.id: problem.question for problem in context.problems["train"]}
    rounds = [context.run.round(number) for number in range(1, round_.number + 1 if config.rounds.generate else 1)]
    chosen = _drawn(rounds, config.training.pool_limit, config.seed)
    for earlier in rounds:
        kept = ((source, row) for stage, source in KEEPING.items() for row in read_kept(earlier, stage))
        yield from pool_rows(kept, questions, prompt_format, config.translate.train_pairs, show, chosen, methods)


def _drawn(rounds: Sequence[RoundDirectory], limit: int | None, seed: int) -> set[str] | None:
    """Ids of `limit` kept solutions, drawn at random; None, which means all, without a limit."""
    if limit is None:
        return None

    def kept() -> Iterator[str]:
        return (row.solution_id for round_ in rounds for stage in KEEPING for row in read_kept(round_, stage))

    count = sum(1 for _ in kept())
    places = set(random.Random(f"{seed}:pool").sample(range(count), min(limit, count)))
    return {solution_id for place, solution_id in enumerate(kept()) if place in places}


def view_rows(
    problems: Sequence[Problem],
    tasks: Mapping[str, TaskLimit],
    prompt_format: PromptFormat,
    seed: int,
    show_question: bool,
    noise: float = 0.0,
    methods: Mapping[str, Method] = METHODS,
) -> Iterator[TrainingRow]:
    """Rows from annotated solutions: solutions (`pot`, or `program`, its view) and translations (`pot->cot`).

    Tasks with a limit take different problems while there are enough. Problems without the view are skipped. A share
    `noise` of the views, drawn per problem and view, is corrupted. Raises InputError for a task whose views no problem
    has.
    """
    order = list(problems)
    random.Random(f"{seed}:views").shuffle(order)
    used: set[str] = set()
    for task, settings in tasks.items():
        shown = _shown_by(task, methods)
        able = [p for p in order if all(p.views.get(view) for _, view in shown)]
        if settings.limit is not None:
            able = sorted(able, key=lambda p: p.id in used)[: settings.limit]
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


def _shown_by(task: str, methods: Mapping[str, Method]) -> list[tuple[Method, str]]:
    """The one or two methods of a task, each with the view that shows it."""
    found = [method_and_view(name, methods) for name in task.split("->")]
    if len(found) > 2 or None in found:
        raise InputError(f"round0.tasks or views: `{task}` is no method, no view, and no pair such as `pot->cot`")
    return [pair for pair in found if pair is not None]


def _annotated(problem: Problem, view: str, seed: int, noise: float) -> Any:
    rng = random.Random(f"{seed}:noise:{problem.id}:{view}")
    return corrupted(problem.views[view], rng) if rng.random() < noise else problem.views[view]


def pool_rows(
    kept: Iterable[tuple[str, Solution]],
    questions: Mapping[str, str],
    prompt_format: PromptFormat,
    pairs: bool,
    show_question: bool,
    chosen: Collection[str] | None = None,
    methods: Mapping[str, Method] = METHODS,
) -> Iterator[TrainingRow]:
    """Rows from kept solutions, each given with its source, translations last; with `pairs` the translations also
    become examples of translating.

    `chosen` are the ids of the solutions to use, None for all. The prompts show the plain question, also for solutions
    that were written with the answer given.
    """
    originals: dict[str, tuple[str, str]] = {}
    for source, solution in kept:
        if pairs and source != "translated":
            originals[solution.solution_id] = solution.method, solution.visible
        if chosen is not None and solution.solution_id not in chosen:
            continue
        method, question = methods[solution.method], questions[solution.problem_id]
        for example in method.examples(prompt_format, question, solution.visible):
            yield _row(example, source, solution.problem_id, solution.solution_id)
        if pairs and source == "translated":
            origin, text = originals[str(solution.origin_id)]
            example = methods[origin].translation_example(
                prompt_format, text, method, solution.visible, question if show_question else None
            )
            yield _row(example, "pair", solution.problem_id, solution.solution_id)


def _row(example: Example, source: str, problem_id: str, solution_id: str | None) -> TrainingRow:
    return TrainingRow(example.prompt, example.completion, example.task, example.role, source, problem_id, solution_id)
