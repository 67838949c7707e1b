"""When a run ends. Only dev problems (through promotions) and the configuration decide."""

from __future__ import annotations

from mmst.errors import InputError
from mmst.runs.directory import RoundDirectory, RunDirectory


def stop_reason(run: RunDirectory, most: int, patience: int) -> str | None:
    """Why a run ends after its last finished round; None if it continues.

    It ends after `most` rounds, or after `patience` rounds in a row that were not promoted.
    """
    done = [round_.number for round_ in run.rounds() if round_.done("promote")]
    if not done:
        return None
    if (failures := failures_in_a_row(run, done[-1])) >= patience:
        return f"{failures} round{'s' if failures > 1 else ''} in a row did not help on dev problems"
    if done[-1] >= most:
        return f"all {most} rounds are done"
    return None


def failures_in_a_row(run: RunDirectory, number: int) -> int:
    """The number of rounds up to `number` since the last promoted one."""
    count = 0
    while number - count > 0 and not _promoted(run.round(number - count)):
        count += 1
    return count


def _promoted(round_: RoundDirectory) -> bool:
    manifest = round_.manifest("promote")
    if manifest is None:
        raise InputError(
            f"{round_.manifest_path('promote')}: is missing, though a later round is done; restore it, or remove the "
            "later rounds to redo them"
        )
    return bool(manifest["figures"]["promoted"])
