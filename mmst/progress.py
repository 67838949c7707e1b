"""Saying how far long work has come: bars on a terminal, plain lines elsewhere (a pipe, a job's log)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_EVERY = 30.0


class Live(Protocol):
    """Where progress goes besides the console (see `mmst.runs.live`)."""

    def stage(self, round_: int, stage: str) -> None: ...

    def work(self, bar: Bar) -> None: ...

    def moved(self, bar: Bar, *, now: bool = False) -> None: ...


class Bar:
    """One piece of work that is going on."""

    def __init__(self, name: str, total: int, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.count, self.tokens = 0, 0
        self.began = time.monotonic()
        self.live: Live | None = None

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        """So many more are done."""
        self.count += count
        self.tokens += tokens
        if self.live is not None:
            self.live.moved(self)

    def close(self) -> None:
        """Take the bar down; the stage itself says what it did."""

    @property
    def rates(self) -> str:
        """What is done per second."""
        elapsed = max(time.monotonic() - self.began, 1e-6)
        parts = [f"{self.count / elapsed:,.0f} {self.unit}/s"]
        if self.tokens:
            parts.append(f"{self.tokens / elapsed:,.0f} tokens/s")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class Reporter:
    """Lines and progress bars on one console; `live` also gets the progress."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self.live: Live | None = None

    def line(self, text: str) -> None:
        """Say one thing; on a terminal it stands above the bars."""
        self.console.print(escape(text), highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def bar(self, name: str, total: int, unit: str) -> Iterator[Bar]:
        """Follow work of `total` pieces while the block runs."""
        bar = (
            _LiveBar(self.console, name, total, unit) if self.console.is_terminal else _LineBar(self, name, total, unit)
        )
        bar.live = self.live
        if self.live is not None:
            self.live.work(bar)
        try:
            yield bar
        finally:
            bar.close()
            if self.live is not None:
                self.live.moved(bar, now=True)


class _LiveBar(Bar):
    def __init__(self, console: Console, name: str, total: int, unit: str) -> None:
        super().__init__(name, total, unit)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rates]}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task(escape(name), total=total, rates="")
        self._progress.start()

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        super().advance(count, tokens)
        self._progress.update(self._task, advance=count, rates=self.rates)

    def close(self) -> None:
        self._progress.stop()


class _LineBar(Bar):
    def __init__(self, reporter: Reporter, name: str, total: int, unit: str) -> None:
        super().__init__(name, total, unit)
        self._reporter, self._said = reporter, self.began

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        super().advance(count, tokens)
        if time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            self._reporter.line(f"  {self.name}: {self.count:,} of {self.total:,} ({self.rates})")
