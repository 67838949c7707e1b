"""The one place that hands figures out. What stands in the run directory is the record; this is for looking on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmst.runs.directory import RoundDirectory, RunDirectory
from mmst.tracking.metrics import Sample, on_point, on_progress, on_stage


class Figures:
    """Hands out the figures of one run. What takes them may fail: it is left out from then on, with one line.

    `names` are those of `config.tracking`; `say` takes lines for people.
    """

    def __init__(self, run: RunDirectory | None = None, names: Sequence[str] = (), say: Callable[[str], None] = print):
        self._say = say
        self._takers: dict[str, Any] = {}
        self._run = run.root.name if run else ""
        if run is not None:
            from mmst.tracking.ray_metrics import RayMetrics
            from mmst.tracking.trackers import TRACKERS

            self._takers["Ray's metrics"] = RayMetrics()
            for name in names:
                with self._guarded(name):
                    self._takers[name] = TRACKERS[name](run)

    def stage(self, round_: RoundDirectory, stage: str) -> None:
        """A stage has ended: its figures, which are those of its manifest."""
        manifest = round_.manifest(stage) or {}
        self._set(lambda: on_stage(round_.number, stage, manifest))
        figures = {**manifest.get("figures", {}), "seconds": manifest.get("seconds")}
        self._log({f"{stage}/{name}": value for name, value in flat(figures)}, "round", round_.number)

    def point(self, round_: int, stage: str, point: Mapping[str, float]) -> None:
        """A point of a curve, such as the loss of a training step: values and their `step`."""
        self._set(lambda: on_point(round_, stage, point))
        values = {f"round-{round_:03d}/{stage}/{name}": value for name, value in flat(point) if name != "step"}
        self._log(values, f"round-{round_:03d}/{stage}/step", int(point["step"]))

    def progress(self, state: Mapping[str, Any]) -> None:
        """How far the stage that goes on has come: what `progress.json` says."""
        self._set(lambda: on_progress(state))

    def close(self) -> None:
        """Write what is not written yet."""
        for name, taker in list(self._takers.items()):
            with self._guarded(name):
                taker.close()

    def _set(self, samples: Callable[[], Sequence[Sample]]) -> None:
        name = "Ray's metrics"
        if name in self._takers:
            with self._guarded(name):
                self._takers[name].set(self._run, samples())

    def _log(self, values: Mapping[str, float], axis: str, step: int) -> None:
        for name, taker in list(self._takers.items()):
            if hasattr(taker, "log"):
                with self._guarded(name):
                    taker.log(values, axis, step)

    @contextlib.contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """A run is worth more than its curves: whatever goes wrong here is said once and ends here."""
        try:
            yield
        except Exception as error:
            self._takers.pop(name, None)
            why = str(error).strip().splitlines() or [type(error).__name__]
            hint = " (pip install 'mmst[tracking]')" if isinstance(error, ImportError) else ""
            self._say(f"tracking: {name} is left out from here on: {why[0]}{hint}")


def flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in nested figures, by dotted name; truth values are 1 and 0, anything else is left out."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", float(value)
