"""Promote: the new checkpoint takes over if it is better on dev problems; test problems are not used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmst.config import PromotionConfig
from mmst.files import write_text
from mmst.runs.directory import RoundDirectory
from mmst.runs.model_card import MODEL_CARD, model_card
from mmst.stages.context import StageContext


def promote(context: StageContext, round_: RoundDirectory) -> None:
    """Decide which checkpoint the next round uses, and write the model cards of trained ones."""
    with round_.stage("promote") as commit:
        commit.figures = _decision(context, round_)
        for role in context.config.roles if round_.done("train") else ():
            card = round_.checkpoint.with_name(role) / MODEL_CARD
            write_text(card, model_card(context.config, context.run, round_, commit.figures))
            commit.parts.append(round_.part(card))


def _decision(context: StageContext, round_: RoundDirectory) -> dict[str, Any]:
    score, settings = _score(context, round_), context.config.promotion
    own = round_.checkpoint if round_.done("train") else None
    new = {
        "promoted": True,
        "checkpoint": str(own.relative_to(context.run.root)) if own else str(context.config.model.path),
        "round": round_.number,
        "score": score,
    }
    if round_.number == 0:
        return {**new, "reason": "the start"}
    held = context.run.round(round_.number - 1).figures("promote")
    # Not the recorded score: round 0 may be shared with a run that has other methods.
    best = _score(context, context.run.round(held["round"]))
    reason = f"dev {settings.metric} {score:.3f} against {best:.3f} of round {held['round']}"
    better = score > best - settings.tolerance or (settings.tolerance > 0 and score == best - settings.tolerance)
    return {**(new if better else held), "promoted": better, "reason": reason}


def _score(context: StageContext, round_: RoundDirectory) -> float:
    return dev_score(round_.figures("evaluate")["dev"], context.config.promotion, context.config.methods)


def dev_score(figures: Mapping[str, Any], settings: PromotionConfig, methods: Sequence[str]) -> float:
    """The score that promotion compares: an accuracy on dev, or the share of agreement without reference answers.

    The vote of a single method is that method, even if others were evaluated with it.
    """
    accuracy = figures["accuracy"]
    if accuracy is None:
        return float(figures["agreement"]["share"])
    values = [accuracy[name] for name in methods]
    if settings.metric == "vote" and len(values) > 1:
        return float(accuracy["vote"])
    return float(max(values) if settings.metric == "best" else sum(values) / len(values))
