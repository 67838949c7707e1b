"""What a person should know about a round without having looked for it."""

from __future__ import annotations

from collections.abc import Iterator

from mmst.dashboard.run import Round, Run

KEEPS_AT_LEAST = 0.10
AGREEMENT_ROSE = 0.02
DIES_UNDER = 0.02
DOMINATES_OVER = 0.25


def warnings_of(run: Run, round_: Round, most_given: tuple[str, float, float | None] | None = None) -> list[str]:
    """The warnings about one round, most worrying first.

    `most_given` is the answer that solutions give most often, its share of all answers, and its share of the
    labels (none where there are none).
    """
    return [*_drift(run, round_), *_dominance(most_given), *_dying(round_), *_few(round_), *_training(round_)]


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
    if share > DOMINATES_OVER and (labelled is None or share > 2 * labelled):
        held = "" if labelled is None else f"; {labelled:.0%} of the labels are"
        yield f"One answer dominates: {share:.0%} of all answers are “{answer[:40]}”{held}."


def _dying(round_: Round) -> Iterator[str]:
    kept = round_.figures("filter").get("kept_by_method") or {}
    total = sum(kept.values())
    for method, count in kept.items():
        if len(kept) > 1 and total and count < DIES_UNDER * total:
            yield f"The method {method} dies out: {count:,} of {total:,} kept solutions are its own."


def _few(round_: Round) -> Iterator[str]:
    figures = round_.figures("filter")
    if figures.get("solutions") and figures.get("kept", 0) < KEEPS_AT_LEAST * figures["solutions"]:
        share = figures.get("kept", 0) / figures["solutions"]
        yield f"The round keeps {share:.1%} of its solutions; under {KEEPS_AT_LEAST:.0%} there is little to learn from."


def _training(round_: Round) -> Iterator[str]:
    if restarts := round_.figures("train").get("restarts"):
        yield f"Training began anew {restarts} time{'s' if restarts > 1 else ''}, because workers died or were stopped."
    if left_out := sum((round_.figures("train").get("left_out") or {}).values()):
        yield f"{left_out:,} rows were left out of training."
    if round_.evaluation("dev") and round_.figures("evaluate").get("flat") is False:
        yield "Round 0 is not flat: training longer on the same data would still have helped, so gains may be that."
