"""When a run ends. Only dev problems (through promotions) and the configuration decide."""

from __future__ import annotations

from mmst.runs.directory import RunDirectory


def stop_reason(run: RunDirectory, most: int, patience: int) -> str | None:
    """Why no further round is done; none while there is work."""
    done = [round_.number for round_ in run.rounds() if round_.done("promote")]
    if not done:
        return None
    if (failures := failures_in_a_row(run, done[-1])) >= patience:
        return f"{failures} round{'s' if failures > 1 else ''} in a row did not help on dev problems"
    if done[-1] >= most:
        return f"all {most} rounds are done"
    return None


def failures_in_a_row(run: RunDirectory, number: int) -> int:
    """How many rounds up to `number` were not promoted since the last one that was."""
    count = 0
    while number - count > 0 and not run.round(number - count).figures("promote")["promoted"]:
        count += 1
    return count
