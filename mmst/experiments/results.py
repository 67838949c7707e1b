"""The rows of `results.jsonl`: what every finished arm achieved, per seed and method, problem by problem."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmst.config.file import load_config
from mmst.experiments.definition import Experiment
from mmst.runs.directory import RunDirectory
from mmst.runs.status import status_of
from mmst.stages.evaluate import REFERENCE

TRANSFER = "transfer.json"
BEFORE = "round 0"
"""The name of the shared round 0 among the arms."""
ENSEMBLES = ("vote", "weighted", "cascade", "any")
"""Rows besides those of the methods; `any` is right where any method is."""


def collect(experiment: Experiment, out: Path) -> list[dict[str, Any]]:
    """One row per finished arm, seed and method or ensemble.

    `right` has one character per test problem, `1` where the answer is right, in the order of the problems whose ids
    hash to `problems`. `accuracy` is that of the checkpoint held at the end, `before` that of round 0. `samples` per
    problem and method, `pool` (kept solutions), `views` (annotated solutions) and `steps` (per round) say what the arm
    trained on. The rows of the arm `round 0` describe the round 0 that all arms share.
    """
    rows: list[dict[str, Any]] = []
    for seed in experiment.seeds:
        if experiment.round_zero == "shared":
            rows += _arm_rows(out / f"seed-{seed}" / experiment.control, BEFORE, seed)
        for arm in experiment.arms:
            rows += _arm_rows(out / f"seed-{seed}" / arm, arm, seed)
    return rows


def _arm_rows(root: Path, arm: str, seed: int) -> Iterator[dict[str, Any]]:
    """The rows of one run, none until it is finished; `arm` may be `BEFORE`."""
    if not (root / "config.yaml").exists():
        return
    run = RunDirectory(root)
    status = status_of(run)
    done = [r for r in status["rounds"] if r["stage"] == "promote"]
    if status["state"] != "finished" or not done or (arm == BEFORE and len(done) == 1):
        return
    done = done[:1] if arm == BEFORE else done
    held = run.round(done[-1]["round"]).figures("promote")["round"]
    before, after = (_figures(run, number) for number in (done[0]["round"], held))
    ids = after["problem_ids"]
    config = load_config(root / "config.yaml")
    start, end, transfer = _accuracies(before), _accuracies(after), _transfer(root, arm)
    trained = run.round(held).figures("train").get("rows", {})
    for method, accuracy in end.items():
        # An arm with fewer methods than round 0 may end with the checkpoint, and so with the figures, of round 0.
        if method.removesuffix(REFERENCE) not in (*config.methods, *(ENSEMBLES if len(config.methods) > 1 else ())):
            continue
        yield {
            "arm": arm,
            "seed": seed,
            "method": method,
            "round": held,
            "rounds": done[-1]["round"],
            "n": len(ids),
            "problems": _hash(ids),
            "before": start.get(method),
            "accuracy": accuracy,
            "right": bits(after["right"].get(method), ids, accuracy),
            "slices": {name: _accuracies(part).get(method) for name, part in after["slices"].items()},
            "transfer": transfer.get(method),
            "phi": {
                other: {"before": before["phi"].get(pair), "after": after["phi"][pair]}
                for other in config.methods
                if (pair := f"{method}-{other}") in after["phi"]
            },
            "samples": config.samples if len(done) > 1 and config.rounds.generate else {},
            "pool": sum(n for kind, n in trained.items() if not kind.endswith((" view", " pair"))),
            "views": sum(n for kind, n in trained.items() if kind.endswith(" view")),
            "steps": [run.round(r["round"]).figures("train").get("steps", 0) for r in done],
            "seconds": round(sum(sum(r["seconds"].values()) for r in done[1:])),
        }


def _figures(run: RunDirectory, number: int) -> dict[str, Any]:
    """The figures on test problems of a round, `right` included."""
    run.round(number).intact("evaluate")
    return dict(json.loads((run.round(number).evaluation / "figures.json").read_text())["test"])


def bits(solved: Iterable[str] | None, ids: Sequence[str], accuracy: float) -> str | None:
    """`1` for every solved problem, `0` for the others; None where only some of the problems were tried."""
    solved = set(solved or ())
    text = "".join("1" if name in solved else "0" for name in ids)
    return text if abs(text.count("1") - accuracy * len(ids)) < 1e-6 else None


def _hash(ids: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(ids).encode(), digest_size=8).hexdigest()


def _accuracies(figures: Mapping[str, Any]) -> dict[str, float]:
    """Accuracy by method, then by ensemble."""
    found = {**(figures["accuracy"] or {}), **(figures.get("ensembles", {}).get("accuracy") or {})}
    names = [*(name for name in found if name not in ENSEMBLES), *ENSEMBLES]
    return {name: found[name] for name in names if name in found}


def _transfer(root: Path, arm: str) -> dict[str, dict[str, Any]]:
    """The same on the related task, by method; empty where it was not measured."""
    try:
        found = json.loads((root / TRANSFER).read_text())
    except FileNotFoundError:
        return {}
    figures = found["before" if arm == BEFORE else "after"]
    ids = figures["problem_ids"]
    return {
        name: {
            "n": len(ids),
            "problems": _hash(ids),
            "accuracy": accuracy,
            "right": bits(figures["right"].get(name), ids, accuracy),
        }
        for name, accuracy in figures["accuracy"].items()
    }
