"""Progress: units that fit the speed, bars where they can be drawn, lines elsewhere."""

import importlib.util
from io import StringIO

import pytest
from rich.console import Console

from mmst.progress import Reporter, duration, rate


@pytest.mark.parametrize(
    ("per_second", "unit", "text"),
    [
        (1 / 24, "steps", "24 s/step"),
        (0.4, "steps", "2.5 s/step"),
        (1 / 3600, "solutions", "3,600 s/solution"),
        (1.0, "steps", "1.0 steps/s"),
        (9.97, "steps", "10 steps/s"),
        (3400.2, "tokens", "3,400 tokens/s"),
    ],
)
def test_a_rate_has_a_unit_that_says_something(per_second, unit, text) -> None:
    assert rate(per_second, unit) == text


@pytest.fixture
def clock(monkeypatch):
    """The time, moved by hand."""
    now = [1000.0]
    monkeypatch.setattr("mmst.progress.time.monotonic", lambda: now[0])
    return now


def test_slow_work_prints_seconds_per_unit_every_half_minute(clock) -> None:
    output = StringIO()
    with Reporter(Console(file=output)).bar("training solver", 40, "steps") as bar:
        for _ in range(4):
            clock[0] += 24.0
            bar.advance(1, 12_000)
    assert output.getvalue().splitlines() == [
        "  training solver: 2 of 40 (24 s/step, 500 tokens/s)",
        "  training solver: 4 of 40 (24 s/step, 500 tokens/s)",
    ]


def test_the_start_of_workers_does_not_count_as_a_step(clock) -> None:
    output = StringIO()
    with Reporter(Console(file=output)).bar("training solver", 40, "steps") as bar:
        clock[0] += 105.0
        bar.advance(1, 1_000)
        clock[0] += 40.0
        bar.advance(20, 20_000)
    assert output.getvalue().splitlines() == [
        "  training solver: 1 of 40",
        "  training solver: 21 of 40 (2.0 s/step, 500 tokens/s)",
    ]


def test_a_terminal_gets_a_bar() -> None:
    output = StringIO()
    with Reporter(Console(file=output, force_terminal=True, width=120)).bar("solving", 4, "solutions") as bar:
        bar.advance(2, 50)
    assert "solving" in output.getvalue() and "2/4" in output.getvalue()


@pytest.mark.parametrize("widgets", [True, False])
def test_a_notebook_gets_bars_if_it_can_draw_them_and_lines_otherwise(monkeypatch, clock, widgets) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "mmst.progress.importlib.util.find_spec",
        lambda name: (object() if widgets else None) if name == "ipywidgets" else find_spec(name),
    )
    output = StringIO()
    console = Console(file=output, width=120)
    console.is_jupyter = True
    monkeypatch.setattr("rich.live.Live.refresh", lambda self: output.write("bar\n"))
    monkeypatch.setattr(Console, "_write_buffer", _write_plainly)
    with Reporter(console).bar("solving", 4, "solutions") as bar:
        clock[0] += 31
        bar.advance(2)
    assert ("bar" in output.getvalue()) == widgets
    assert ("solving: 2 of 4" in output.getvalue()) != widgets


def _write_plainly(console: Console) -> None:
    console.file.write(console._render_buffer(console._buffer[:]))
    console._buffer.clear()


def test_durations_are_printed_in_a_fitting_unit() -> None:
    assert [duration(s) for s in (5, 89, 600, 7200)] == ["5 s", "89 s", "10 min", "2.0 h"]
