"""Passes the figures of a run to trackers. The run directory is the record; trackers hold copies for observers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmst.runs.directory import RoundDirectory, RunDirectory
from mmst.tracking.trackers import TRACKERS, Tracker


class Figures:
    """Passes the figures of one run to Ray's metrics and to the trackers in `names` (see `config.tracking`).

    A tracker that fails is dropped with one message to `say`; the run continues.
    """

    def __init__(self, run: RunDirectory | None = None, names: Sequence[str] = (), say: Callable[[str], None] = print):
        self._say = say
        self._trackers: dict[str, Tracker] = {}
        if run is not None:
            from mmst.tracking.trackers import RayMetrics

            for name, tracker in [("Ray's metrics", RayMetrics), *((name, TRACKERS[name]) for name in names)]:
                with self._guarded(name):
                    self._trackers[name] = tracker(run)

    def stage(self, round_: RoundDirectory, stage: str) -> None:
        """Report a finished stage, from its manifest."""
        self._each(lambda tracker: tracker.stage(round_.number, stage, round_.manifest(stage) or {}))

    def point(self, round_: int, stage: str, point: Mapping[str, float]) -> None:
        """Report a point of a curve, such as the loss of a training step: values and their `step`."""
        self._each(lambda tracker: tracker.point(round_, stage, point))

    def progress(self, state: Mapping[str, Any]) -> None:
        """Report the progress of the running stage, as in `progress.json`."""
        self._each(lambda tracker: tracker.progress(state))

    def close(self) -> None:
        """Flush and close all trackers."""
        self._each(lambda tracker: tracker.close())

    def _each(self, report: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            with self._guarded(name):
                report(tracker)

    @contextlib.contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """Drop a tracker that raises anything: a run is worth more than its curves."""
        try:
            yield
        except Exception as error:
            self._trackers.pop(name, None)
            why = str(error).strip().splitlines() or [type(error).__name__]
            hint = " (pip install 'mmst[tracking]')" if isinstance(error, ImportError) else ""
            self._say(f"tracking: {name} is left out from here on: {why[0]}{hint}")
