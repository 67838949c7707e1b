"""Promote: the new checkpoint takes over if dev problems say so; test problems are not looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmst.config import PromotionConfig
from mmst.runs.directory import RoundDirectory
from mmst.runs.files import write_text
from mmst.runs.model_card import MODEL_CARD, model_card
from mmst.stages.job import Job


def promote(job: Job, round_: RoundDirectory) -> None:
    """Decide and write down which checkpoint the loop goes on with; trained ones get their model card."""
    with round_.stage("promote") as commit:
        commit.figures = _decision(job, round_)
        for role in job.config.roles if round_.done("train") else ():
            card = round_.checkpoint.with_name(role) / MODEL_CARD
            write_text(card, model_card(job.config, job.run, round_, commit.figures))
            commit.parts.append(round_.part(card))


def _decision(job: Job, round_: RoundDirectory) -> dict[str, Any]:
    score = _score(job, round_)
    own = round_.checkpoint if round_.done("train") else None
    new = str(own.relative_to(job.run.root)) if own else str(job.config.model.path)
    if round_.number == 0:
        return {"promoted": True, "checkpoint": new, "round": 0, "score": score, "reason": "the start"}
    held = job.run.round(round_.number - 1).figures("promote")
    # Not the recorded score: round 0 may be shared with a run that has other methods.
    best = _score(job, job.run.round(held["round"]))
    least = best - job.config.promotion.tolerance
    promoted = score > least or (job.config.promotion.tolerance > 0 and score == least)
    reason = f"dev {job.config.promotion.metric} {score:.3f} against {best:.3f} of round {held['round']}"
    if promoted:
        return {"promoted": True, "checkpoint": new, "round": round_.number, "score": score, "reason": reason}
    return {**held, "promoted": False, "reason": reason}


def _score(job: Job, round_: RoundDirectory) -> float:
    return dev_score(round_.figures("evaluate")["dev"], job.config.promotion, job.config.methods)


def dev_score(figures: Mapping[str, Any], settings: PromotionConfig, methods: Sequence[str]) -> float:
    """What promotion compares: from accuracies on dev, or the agreement share where dev has no reference answers.

    A vote of one method is that method, whatever others were evaluated beside it.
    """
    accuracy = figures["accuracy"]
    if accuracy is None:
        return float(figures["agreement"]["share"])
    values = [accuracy[name] for name in methods]
    if settings.metric == "vote" and len(values) > 1:
        return float(accuracy["vote"])
    return float(max(values) if settings.metric == "best" else sum(values) / len(values))
