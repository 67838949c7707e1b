"""`progress.json`: the progress of the running stage, for observers of the run.

It is written at most once a second, by renaming and without a sync: nothing depends on it, so it need not survive a
power cut. A write is a few hundred bytes.
"""

from __future__ import annotations

import collections
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.foreign import checked, read_json
from mmst.runs.manifests import Progress

PROGRESS = "progress.json"
_EVERY = 1.0
_WINDOW = 30
"""Rates are measured over this many writes: half a minute of steady work."""


class Live:
    """Writes `progress.json` of a run, and passes the same state to `listener`.

    `resources` returns what the run uses, such as the number of replicas.
    """

    def __init__(
        self,
        root: Path,
        resources: Callable[[], Mapping[str, float]],
        listener: Callable[[Mapping[str, Any]], None] = lambda state: None,
    ) -> None:
        self._path, self._resources, self._listener = root / PROGRESS, resources, listener
        self._where: dict[str, Any] = {}
        self._work: dict[str, Any] = {}
        self._seen: collections.deque[tuple[float, int, int]] = collections.deque(maxlen=_WINDOW)
        self._wrote = 0.0
        self._path.unlink(missing_ok=True)

    def stage(self, round_: int, stage: str) -> None:
        """Start a stage."""
        self._where = {"round": round_, "stage": stage, "began": time.time()}
        self._write({})

    def work(self, name: str, unit: str, total: int) -> None:
        """Start a piece of work of `total` units."""
        self._work = {"work": name, "unit": unit, "total": total}
        self._seen.clear()
        self.moved(0, 0, 0.0, now=True)

    def moved(self, done: int, tokens: int, elapsed: float, *, now: bool = False) -> None:
        """Report units and tokens so far, `elapsed` seconds after the start. `now` writes in any case."""
        moment = time.monotonic()
        if not now and moment - self._wrote < _EVERY:
            return
        self._wrote = moment
        self._seen.append((elapsed, done, tokens))
        since, done_then, tokens_then = self._seen[0]
        seconds = elapsed - since
        self._write(
            {
                **self._work,
                "done": done,
                "tokens": tokens,
                "seconds": round(elapsed, 3),
                "per_second": round((done - done_then) / seconds, 6) if seconds else None,
                "tokens_per_second": round((tokens - tokens_then) / seconds, 1) if seconds else None,
            }
        )

    def _write(self, work: Mapping[str, Any]) -> None:
        state = {**self._where, **work, "updated": time.time(), "resources": dict(self._resources())}
        temporary = self._path.with_name(f".{PROGRESS}")
        temporary.write_text(json.dumps(state) + "\n", encoding="utf-8")
        temporary.replace(self._path)
        self._listener(state)


def read_progress(root: Path) -> dict[str, Any] | None:
    """The content of `progress.json` of a run; None if there is no valid one."""
    try:
        state: dict[str, Any] = read_json(root / PROGRESS, dict[str, Any])
        checked(state, Progress, PROGRESS)
        return state
    except (OSError, InputError):
        return None
