"""Progress of long work: bars on a terminal or in a notebook, plain lines elsewhere (a pipe, the log of a job)."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_EVERY = 30.0


class Live(Protocol):
    """A second place that progress is reported to (see `mmst.runs.live`)."""

    def stage(self, round_: int, stage: str) -> None: ...

    def work(self, name: str, unit: str, total: int) -> None: ...

    def moved(self, done: int, tokens: int, elapsed: float, *, now: bool = False) -> None: ...


class Bar:
    """Counts one piece of work of `total` units, such as `solutions`."""

    def __init__(self, name: str, total: int, unit: str, show: Callable[[Bar], None], live: Live | None) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done, self.tokens = 0, 0
        self._began, self._show, self._live = time.monotonic(), show, live
        self._first: tuple[float, int, int] | None = None
        if live is not None:
            live.work(name, unit, total)

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        """Count more units, and the tokens that they took."""
        self.done += count
        self.tokens += tokens
        self._first = self._first or (self.elapsed, self.done, self.tokens)
        if self._live is not None:
            self._live.moved(self.done, self.tokens, self.elapsed)
        self._show(self)

    def close(self) -> None:
        """Report the final counts."""
        if self._live is not None:
            self._live.moved(self.done, self.tokens, self.elapsed, now=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._began

    @property
    def rates(self) -> str:
        """Units and tokens per second, such as `12 solutions/s, 3,400 tokens/s`, since the first units were counted:
        before, engines or workers start. Empty until then."""
        since, done, tokens = self._first or (self.elapsed, 0, 0)
        seconds = self.elapsed - since
        counts = ((self.done - done, self.unit), (self.tokens - tokens, "tokens"))
        return ", ".join(rate(count / seconds, unit) for count, unit in counts if count and seconds)


def rate(per_second: float, unit: str) -> str:
    """A positive rate in a unit that fits: `12 steps/s`, and `24 s/step` if it is below one per second."""
    if per_second < 1:
        return f"{_rounded(1 / per_second)} s/{unit.removesuffix('s')}"
    return f"{_rounded(per_second)} {unit}/s"


def _rounded(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """A duration for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class Reporter:
    """Prints lines and progress bars on one console; progress is also reported to `live` if it is set."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self.live: Live | None = None

    def line(self, text: str) -> None:
        """Print a line, on a terminal above the bars."""
        self.console.print(escape(text), highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def bar(self, name: str, total: int, unit: str) -> Iterator[Bar]:
        """Show the progress of work while the block runs."""
        display = self._drawn if _draws(self.console) else self._lines
        with display(name, total) as show:
            bar = Bar(name, total, unit, show, self.live)
            try:
                yield bar
            finally:
                bar.close()

    @contextlib.contextmanager
    def _drawn(self, name: str, total: int) -> Iterator[Callable[[Bar], None]]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rates]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(escape(name), total=total, rates="")
            yield lambda bar: progress.update(task, completed=bar.done, rates=bar.rates)

    @contextlib.contextmanager
    def _lines(self, name: str, total: int) -> Iterator[Callable[[Bar], None]]:
        printed = time.monotonic()

        def show(bar: Bar) -> None:
            nonlocal printed
            if time.monotonic() - printed >= _LINE_EVERY:
                printed = time.monotonic()
                rates = f" ({bar.rates})" if bar.rates else ""
                self.line(f"  {name}: {bar.done:,} of {total:,}{rates}")

        yield show


def _draws(console: Console) -> bool:
    """Whether bars can be drawn: on terminals, and in notebooks that have ipywidgets (rich draws with it)."""
    return console.is_terminal or (console.is_jupyter and importlib.util.find_spec("ipywidgets") is not None)
