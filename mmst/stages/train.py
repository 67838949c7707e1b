"""Train: on the views that came with the data and on the pool of all rounds so far."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmst.config import TaskLimit
from mmst.files import append_line, checksum, write_json
from mmst.methods import METHODS
from mmst.methods.card import CARD, card_of, prompt_format_of, role_of
from mmst.methods.prompts import PromptFormat
from mmst.runs.checkpoints import located
from mmst.runs.directory import Commit, RoundDirectory
from mmst.runs.seeds import seed_of
from mmst.runs.stages import KEEPING
from mmst.runs.tables import read_table, write_table
from mmst.stages.context import StageContext
from mmst.stages.filter import read_kept
from mmst.stages.rows import TrainingRow, pool_rows, view_rows

if TYPE_CHECKING:
    from mmst.training import TrainingResult

EARLY = "-early"
"""Ends the name of a checkpoint that training passed on its way."""
SNAPSHOT = f"solver{EARLY}"


def train(context: StageContext, round_: RoundDirectory) -> None:
    """Write `pool.parquet` and `checkpoints/<role>/`; round 0 also `checkpoints/<role>-early/` to see if it is flat."""
    flat_at = context.config.round0.flat_at if not round_.number and context.config.round0.flat_at < 1 else None
    with round_.stage("train") as commit:
        with commit.timed("rows"):
            start = _start(context, round_)
            prompt_format = _trained_prompt_format(context, start)
            rows = write_table(round_.pool, TrainingRow, _rows(context, round_, prompt_format))
            counts = Counter(f"{row.task} {row.source}" for row in read_table(round_.pool, TrainingRow))
        if start is None:
            with commit.timed("model"):
                start = _from_scratch(context, round_)
        context.runtime.make_room_for_training()
        context.runtime.cluster()
        results = {
            role: _fit(context, round_, role, role_of(start, role), flat_at, commit) for role in context.config.roles
        }
        _write_cards(context, round_, prompt_format)
        commit.parts = [round_.part(round_.pool, rows)]
        names = [role + early for role in results for early in ("", EARLY) if flat_at or not early]
        commit.parts += [round_.part(round_.checkpoint.with_name(name)) for name in names]
        commit.figures = {"rows": dict(sorted(counts.items())), **results.pop("solver").figures()}
        if results:
            commit.figures["roles"] = {role: result.figures() for role, result in results.items()}
    for storage in round_.root.glob("training*"):
        shutil.rmtree(storage)


def _fit(
    context: StageContext, round_: RoundDirectory, role: str, start: str | Path, flat_at: float | None, commit: Commit
) -> TrainingResult:
    """Train the checkpoint of a role on its rows; the solver, where it is the only one, on all."""
    from mmst.training import train as fit

    config, zero = context.config, round_.number == 0
    schedule = (zero and config.round0.schedule) or config.training.schedule
    mixture = config.round0.mixture if zero and config.round0.mixture is not None else config.training.mixture
    target = round_.checkpoint.with_name(role)
    alone = len(config.roles) == 1
    with commit.timed("train"), context.report.bar(f"training {role}", schedule.steps or 0, "steps") as bar:

        def finished(step: dict[str, Any]) -> None:
            bar.advance(1, step["tokens"])
            context.figures.point(round_.number, "train" if role == "solver" else f"train-{role}", step)

        result = fit(
            rows=round_.pool,
            role=None if alone else role,
            start=start,
            output=target,
            training=config.training,
            schedule=schedule,
            mixture=mixture,
            cluster=config.cluster,
            seed=seed_of(config.seed, round_.number, "train", *([] if role == "solver" else [role])),
            storage=round_.root / f"training-{role}",
            name=f"mmst-{config.name}-round-{round_.number:03d}-{role}",
            snapshot_at=flat_at,
            snapshot=target.with_name(role + EARLY) if flat_at else None,
            on_step=finished,
        )
    for point in result.losses:
        append_line(context.run.metrics, {"round": round_.number, "stage": "train", "role": role, **point})
    return result


def _start(context: StageContext, round_: RoundDirectory) -> str | Path | None:
    """What training starts from; none for a model that is yet to be made."""
    path = context.config.model.path and located(context.config.model.path)
    if round_.number and context.config.training.start == "previous":
        return context.current_checkpoint(round_.number - 1)
    if path is None and round_.number:
        context.run.round(0).intact("train")
        return context.run.round(0).checkpoint
    return path


def _trained_prompt_format(context: StageContext, start: str | Path | None) -> PromptFormat:
    """How the new checkpoint will be asked: by its chat template where its base has one, else question, instruction."""
    if start is None:
        return PromptFormat("tuned")
    prompt_format = prompt_format_of(start, context.config.model.style)
    return prompt_format if prompt_format.style != "base" else PromptFormat("tuned")


def _rows(context: StageContext, round_: RoundDirectory, prompt_format: PromptFormat) -> Iterator[TrainingRow]:
    config, show = context.config, context.config.translate.include_question
    if config.round0.enabled:
        zero = config.round0
        views = zero.views or [method.name for method in context.methods]
        tasks = zero.tasks or {view: TaskLimit() for view in views}
        if round_.number and config.training.annotations == "all":
            tasks = {**tasks, **{view: TaskLimit() for view in views}}
        methods = context.all_methods
        yield from view_rows(
            context.problems["annotated"], tasks, prompt_format, config.seed, show, zero.noise, methods
        )
    questions = {problem.id: problem.question for problem in context.problems["train"]}
    rounds = [context.run.round(number) for number in range(1, round_.number + 1 if config.rounds.generate else 1)]
    chosen = _drawn(rounds, config.training.pool_limit, config.seed)
    for earlier in rounds:
        natives, rationalized, translations = (read_kept(earlier, stage) for stage in KEEPING)
        pairs, methods = config.translate.train_pairs, context.all_methods
        yield from pool_rows(
            natives, translations, questions, prompt_format, pairs, show, chosen, methods, rationalized
        )


def _drawn(rounds: Sequence[RoundDirectory], limit: int | None, seed: int) -> set[str] | None:
    """The ids of the kept solutions that are trained on where the pool is limited; none for all."""
    if limit is None:
        return None

    def kept() -> Iterator[str]:
        return (row.solution_id for round_ in rounds for stage in KEEPING for row in read_kept(round_, stage))

    count = sum(1 for _ in kept())
    places = set(random.Random(f"{seed}:pool").sample(range(count), min(limit, count)))
    return {solution_id for place, solution_id in enumerate(kept()) if place in places}


def _from_scratch(context: StageContext, round_: RoundDirectory) -> Path:
    """A new model and a tokenizer that knows the train and annotated problems and what round 0 trains on."""
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
    """Say in every checkpoint how to ask it, and in the solver's where the other roles are."""
    methods = [METHODS[name] for name in sorted(METHODS)]
    for role in context.config.roles:
        for early in ("", EARLY):
            checkpoint = round_.checkpoint.with_name(role + early)
            if not checkpoint.is_dir():
                continue
            tokenizer = checksum(checkpoint / "tokenizer.json") if (checkpoint / "tokenizer.json").exists() else None
            card = card_of(
                prompt_format, methods, tokenizer=tokenizer, run=context.config.name, round=round_.number, role=role
            )
            if role == "solver":
                card["roles"] = {other: f"../{other}{early}" for other in context.config.roles if other != role}
            settings = {"socratic": context.config.socratic.model_dump()}
            write_json(checkpoint / CARD, {**card, "methods": context.config.methods, "settings": settings})
