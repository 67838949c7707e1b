"""Promote: the new checkpoint takes over if dev problems say so; test problems are not looked at."""

from __future__ import annotations

from typing import Any

from mmst.config import PromotionConfig
from mmst.runs.directory import RoundDirectory
from mmst.stages.job import Job


def promote(job: Job, round_: RoundDirectory) -> None:
    """Decide and write down which checkpoint the loop goes on with."""
    with round_.stage("promote") as commit:
        score = dev_score(round_.figures("evaluate")["dev"], job.config.promotion)
        own = round_.checkpoint if round_.done("train") else None
        new = str(own.relative_to(job.run.root)) if own else str(job.config.model.path)
        if round_.number == 0:
            commit.figures = {"promoted": True, "checkpoint": new, "round": 0, "score": score, "reason": "the start"}
            return
        held = job.run.round(round_.number - 1).figures("promote")
        least = held["score"] - job.config.promotion.tolerance
        promoted = score > least or (job.config.promotion.tolerance > 0 and score == least)
        reason = f"dev {job.config.promotion.metric} {score:.3f} against {held['score']:.3f} of round {held['round']}"
        if promoted:
            commit.figures = {"promoted": True, "checkpoint": new, "round": round_.number, "score": score}
        else:
            commit.figures = {**held, "promoted": False}
        commit.figures["reason"] = reason


def dev_score(figures: dict[str, Any], settings: PromotionConfig) -> float:
    """What promotion compares: from accuracies on dev, or the agreement share where dev has no reference answers."""
    accuracy = figures["accuracy"]
    if accuracy is None:
        return float(figures["agreement"]["share"])
    methods = [value for name, value in accuracy.items() if name not in ("vote", "any")]
    if settings.metric == "vote":
        return float(accuracy["vote"])
    return float(max(methods) if settings.metric == "best" else sum(methods) / len(methods))
