"""Signs that a round went wrong, found in its figures."""

from __future__ import annotations

from collections.abc import Iterator

from mmst.dashboard.run import Round, Run

KEPT_AT_LEAST = 0.10
AGREEMENT_ROSE = 0.02
DIES_BELOW = 0.02
DOMINATES_ABOVE = 0.25


def warnings_of(run: Run, round_: Round, most_given: tuple[str, float, float | None] | None = None) -> list[str]:
    """The warnings about one round, most serious first.

    `most_given` is the most frequent answer of its solutions, the share of answers that equal it, and the share of
    labels that do (None without labels).
    """
    return [*_drift(run, round_), *_dominance(most_given), *_kept(round_), *_training(round_)]


def _drift(run: Run, round_: Round) -> Iterator[str]:
    before = run.round(round_.number - 1)
    if before is None:
        return
    then, now = before.evaluation("dev"), round_.evaluation("dev")
    if not then.get("accuracy") or not now.get("accuracy"):
        return
    agreed = [part.get("agreement", {}).get("share", 0.0) for part in (then, now)]
    solved = [part["accuracy"].get("vote", max(part["accuracy"].values())) for part in (then, now)]
    if agreed[1] > agreed[0] + AGREEMENT_ROSE and solved[1] <= solved[0]:
        yield (
            f"Agreement rises ({agreed[0]:.0%} to {agreed[1]:.0%} of dev problems) while held-out accuracy does not "
            f"({solved[0]:.1%} to {solved[1]:.1%}): the methods may be learning each other's mistakes."
        )


def _dominance(most_given: tuple[str, float, float | None] | None) -> Iterator[str]:
    if most_given is None:
        return
    answer, share, labelled = most_given
    if share > DOMINATES_ABOVE and (labelled is None or share > 2 * labelled):
        labels = "" if labelled is None else f", but only {labelled:.0%} of the labels"
        yield f"One answer dominates: {share:.0%} of all answers are “{answer[:40]}”{labels}."


def _kept(round_: Round) -> Iterator[str]:
    figures = round_.figures("filter")
    by_method = figures.get("kept_by_method") or {}
    total = sum(by_method.values())
    for method, count in by_method.items():
        if len(by_method) > 1 and count < DIES_BELOW * total:
            yield f"Method {method} is dying out: only {count:,} of {total:,} kept solutions use it."
    solutions, kept = figures.get("solutions"), figures.get("kept", 0)
    if solutions and kept < KEPT_AT_LEAST * solutions:
        yield f"The round kept only {kept / solutions:.1%} of its solutions, so there is little to learn from."


def _training(round_: Round) -> Iterator[str]:
    figures = round_.figures("train")
    if restarts := figures.get("restarts"):
        times = "once" if restarts == 1 else f"{restarts} times"
        yield f"Training restarted {times} because workers died or were stopped."
    if left_out := sum((figures.get("left_out") or {}).values()):
        yield f"{left_out:,} rows were left out of training."
