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
from mmst.runs.checkpoints import located
from mmst.runs.directory import Commit, RoundDirectory
from mmst.runs.seeds import seed_of
from mmst.runs.tables import read_table, write_table
from mmst.stages.context import StageContext
from mmst.stages.pool import rows_of

if TYPE_CHECKING:
    from mmst.training import TrainingResult


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
