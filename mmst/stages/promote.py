"""Promote: the new checkpoint takes over if dev problems say so; test problems are not looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmst.config import PromotionConfig
from mmst.files import write_text
from mmst.runs.directory import RoundDirectory
from mmst.runs.model_card import MODEL_CARD, model_card
from mmst.stages.context import StageContext


def promote(context: StageContext, round_: RoundDirectory) -> None:
    """Decide and write down which checkpoint the loop goes on with; trained ones get their model card."""
    with round_.stage("promote") as commit:
        commit.figures = _decision(context, round_)
        for role in context.config.roles if round_.done("train") else ():
            card = round_.checkpoint.with_name(role) / MODEL_CARD
            write_text(card, model_card(context.config, context.run, round_, commit.figures))
            commit.parts.append(round_.part(card))


def _decision(context: StageContext, round_: RoundDirectory) -> dict[str, Any]:
    score = _score(context, round_)
    own = round_.checkpoint if round_.done("train") else None
    new = str(own.relative_to(context.run.root)) if own else str(context.config.model.path)
    if round_.number == 0:
        return {"promoted": True, "checkpoint": new, "round": 0, "score": score, "reason": "the start"}
    held = context.run.round(round_.number - 1).figures("promote")
    # Not the recorded score: round 0 may be shared with a run that has other methods.
    best = _score(context, context.run.round(held["round"]))
    least = best - context.config.promotion.tolerance
    promoted = score > least or (context.config.promotion.tolerance > 0 and score == least)
    reason = f"dev {context.config.promotion.metric} {score:.3f} against {best:.3f} of round {held['round']}"
    if promoted:
        return {"promoted": True, "checkpoint": new, "round": round_.number, "score": score, "reason": reason}
    return {**held, "promoted": False, "reason": reason}


def _score(context: StageContext, round_: RoundDirectory) -> float:
    return dev_score(round_.figures("evaluate")["dev"], context.config.promotion, context.config.methods)


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
