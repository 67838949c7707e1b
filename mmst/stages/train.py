"""Train: on annotated solutions and on the pool of all rounds so far."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmst.files import append_line, checksum, write_json
from mmst.methods import METHODS
from mmst.methods.card import CARD, card_of, prompt_format_of, role_of
from mmst.methods.prompts import PromptFormat
from mmst.records import TrainingRow
from mmst.runs.directory import Commit, RoundDirectory
from mmst.runs.identity import located, seed_of
from mmst.runs.tables import read_table, write_table
from mmst.stages.context import StageContext

if TYPE_CHECKING:
    from mmst.training import TrainingResult


import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from mmst.config import TaskLimit
from mmst.errors import InputError
from mmst.methods import method_and_view
from mmst.methods.method import Method
from mmst.problems.noise import corrupted
from mmst.records import Example, Problem, Solution
from mmst.runs.stages import KEEPING
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


def train(context: StageContext, round_: RoundDirectory) -> None:
    """Write `pool.parquet` and `checkpoints/<role>/`."""
    with round_.stage("train") as commit:
        with commit.timed("rows"):
            start = _start(context, round_)
            prompt_format = _trained_prompt_format(context, start)
            rows = write_table(round_.pool, TrainingRow, rows_of(context, round_, prompt_format))
            counts = Counter(f"{row.task} {row.source}" for row in read_table(round_.pool, TrainingRow))
        if start is None:
            with commit.timed("model"):
                start = _from_scratch(context, round_)
        context.runtime.make_room_for_training()
        context.runtime.cluster()
        results = {role: _fit(context, round_, role, role_of(start, role), commit) for role in context.config.roles}
        _write_cards(context, round_, prompt_format)
        commit.parts = [round_.part(round_.pool, rows)]
        commit.parts += [round_.part(round_.checkpoint.with_name(role)) for role in results]
        commit.figures = {"rows": dict(sorted(counts.items())), **results.pop("solver").figures()}
        if results:
            commit.figures["roles"] = {role: result.figures() for role, result in results.items()}
    for storage in round_.root.glob("training*"):
        shutil.rmtree(storage)


def _fit(context: StageContext, round_: RoundDirectory, role: str, start: str | Path, commit: Commit) -> TrainingResult:
    """Train the checkpoint of a role on its rows; a solver that is the only role trains on all rows."""
    from mmst.training import TrainingRequest
    from mmst.training import train as fit

    config, zero = context.config, context.config.round0 if round_.number == 0 else None
    schedule = (zero and zero.schedule) or config.training.schedule
    mixture = zero.mixture if zero and zero.mixture is not None else config.training.mixture
    solver = role == "solver"
    with commit.timed("train"), context.report.bar(f"training {role}", schedule.steps or 0, "steps") as bar:

        def finished(step: dict[str, Any]) -> None:
            bar.advance(1, step["tokens"])
            context.figures.point(round_.number, "train" if solver else f"train-{role}", step)

        request = TrainingRequest(
            rows=round_.pool,
            role=None if len(config.roles) == 1 else role,
            start=start,
            output=round_.checkpoint.with_name(role),
            training=config.training,
            schedule=schedule,
            mixture=mixture,
            cluster=config.cluster,
            seed=seed_of(config.seed, round_.number, "train", *([] if solver else [role])),
            storage=round_.root / f"training-{role}",
            name=f"mmst-{config.name}-round-{round_.number:03d}-{role}",
        )
        result = fit(request, finished)
    for point in result.losses:
        append_line(context.run.metrics, {"round": round_.number, "stage": "train", "role": role, **point})
    return result


def _start(context: StageContext, round_: RoundDirectory) -> str | Path | None:
    """The checkpoint that training starts from; None for a new model."""
    path = context.config.model.path and located(context.config.model.path)
    if round_.number and context.config.training.start == "previous":
        return context.current_checkpoint(round_.number - 1)
    if path is None and round_.number:
        context.run.round(0).intact("train")
        return context.run.round(0).checkpoint
    return path


def _trained_prompt_format(context: StageContext, start: str | Path | None) -> PromptFormat:
    """The prompt format of the new checkpoint: its base's chat template if there is one, else style `tuned`."""
    prompt_format = prompt_format_of(start, context.config.model.style) if start is not None else None
    return prompt_format if prompt_format and prompt_format.style != "base" else PromptFormat("tuned")


def _from_scratch(context: StageContext, round_: RoundDirectory) -> Path:
    """A new model, and a tokenizer built from the train and annotated problems and the rows of round 0."""
    from mmst.training.scratch import build_model, build_tokenizer, save_checkpoint

    target = round_.root / "checkpoints" / "initial"
    if target.exists():
        shutil.rmtree(target)
    questions = [p.question for name in ("train", "annotated") for p in context.problems[name]]
    shown = [text for row in read_table(round_.pool, TrainingRow) for text in (row.prompt, row.completion)]
    tokenizer = build_tokenizer([*questions, *shown], context.config.model.scratch)
    model = build_model(tokenizer, context.config.model.scratch, seed_of(context.config.seed, "model"))
    save_checkpoint(model, tokenizer, target)
    return target


def _write_cards(context: StageContext, round_: RoundDirectory, prompt_format: PromptFormat) -> None:
    """Write `mmst.json` into every checkpoint; the solver's also names the checkpoints of the other roles."""
    config, every = context.config, [METHODS[name] for name in sorted(METHODS)]
    for role in config.roles:
        checkpoint = round_.checkpoint.with_name(role)
        tokenizer = checksum(checkpoint / "tokenizer.json") if (checkpoint / "tokenizer.json").exists() else None
        card = card_of(prompt_format, every, tokenizer=tokenizer, run=config.name, round=round_.number, role=role)
        if role == "solver":
            card["roles"] = {other: f"../{other}" for other in config.roles if other != role}
        settings = {"socratic": config.socratic.model_dump()}
        write_json(checkpoint / CARD, {**card, "methods": config.methods, "settings": settings})
