"""`progress.json`: how far the stage that is going on has come, for who looks at the run from outside.

Written at most once a second, by renaming, without a sync: it says nothing that must survive a power cut, and no
authority is ever taken from it. The time that it takes is that of writing a few hundred bytes.
"""

from __future__ import annotations

import collections
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmst.progress import Bar

PROGRESS = "progress.json"
_EVERY = 1.0
_WINDOW = 30
"""Rates are those of the last so many writes: of half a minute while work comes in."""


class Live:
    """Writes `progress.json` of one run, and tells `listener` the same. `resources` is asked what the run holds."""

    def __init__(
        self,
        root: Path,
        resources: Callable[[], Mapping[str, float]],
        listener: Callable[[Mapping[str, Any]], None] = lambda state: None,
    ) -> None:
        self._path, self._resources, self._listener = root / PROGRESS, resources, listener
        self._where: dict[str, Any] = {}
        self._seen: collections.deque[tuple[float, int, int]] = collections.deque(maxlen=_WINDOW)
        self._wrote = 0.0
        self._path.unlink(missing_ok=True)

    def stage(self, round_: int, stage: str) -> None:
        """A stage begins."""
        self._where = {"round": round_, "stage": stage, "began": time.time()}
        self._write({})

    def work(self, bar: Bar) -> None:
        """A piece of work begins."""
        self._seen.clear()
        self.moved(bar, now=True)

    def moved(self, bar: Bar, *, now: bool = False) -> None:
        """Work went on; `now` writes even if the last second has seen a write."""
        moment = time.monotonic()
        if not now and moment - self._wrote < _EVERY:
            return
        self._wrote = moment
        self._seen.append((moment, bar.count, bar.tokens))
        since, count, tokens = self._seen[0]
        elapsed = moment - since
        self._write(
            {
                "work": bar.name,
                "unit": bar.unit,
                "done": bar.count,
                "total": bar.total,
                "tokens": bar.tokens,
                "seconds": round(moment - bar.began, 3),
                "per_second": round((bar.count - count) / elapsed, 3) if elapsed else None,
                "tokens_per_second": round((bar.tokens - tokens) / elapsed, 1) if elapsed else None,
            }
        )

    def _write(self, work: Mapping[str, Any]) -> None:
        state = {**self._where, **work, "updated": time.time(), "resources": dict(self._resources())}
        temporary = self._path.with_name(f".{PROGRESS}")
        temporary.write_text(json.dumps(state) + "\n", encoding="utf-8")
        temporary.replace(self._path)
        self._listener(state)


def read_progress(root: Path) -> dict[str, Any] | None:
    """What `progress.json` of a run says; none where there is none or it isn't one."""
    try:
        state = json.loads((root / PROGRESS).read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and "stage" in state else None
