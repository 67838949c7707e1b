"""Warnings, plots and tables made from chosen figures."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from mmst.dashboard.charts import MOST_POINTS, Chart, Series, stacked, thinned
from mmst.dashboard.overview import duration
from mmst.dashboard.rounds import accuracy_table
from mmst.dashboard.run import Round, Run
from mmst.dashboard.static_chart import svg
from mmst.dashboard.warnings import warnings_of
from mmst.runs.directory import RunDirectory


def round_of(number: int, **figures: dict) -> Round:
    manifests = {stage: {"seconds": 1.0, "figures": part} for stage, part in figures.items()}
    return Round(RunDirectory(Path("/nowhere")).round(number), manifests)


def dev(agreement: float, vote: float) -> dict:
    return {"dev": {"accuracy": {"cot": vote, "vote": vote}, "agreement": {"share": agreement}}}


def warned(*rounds: Round, given=None) -> list[str]:
    return warnings_of(Run("r", Path("/nowhere"), rounds=list(rounds)), rounds[-1], given)


def test_rising_agreement_without_rising_accuracy_gives_a_warning() -> None:
    before = round_of(1, evaluate=dev(0.3, 0.5))
    (said,) = warned(before, round_of(2, evaluate=dev(0.4, 0.49)))
    assert "Agreement rises (30% to 40%" in said
    assert warned(before, round_of(2, evaluate=dev(0.4, 0.55))) == []
    assert warned(before, round_of(2, evaluate=dev(0.31, 0.49))) == []


def test_a_dominating_answer_gives_a_warning_unless_it_dominates_the_labels_too() -> None:
    quiet = round_of(1)
    (said,) = warned(quiet, given=("0", 0.4, 0.1))
    assert "40% of all answers are “0”, but only 10% of the labels" in said
    assert warned(quiet, given=("0", 0.4, 0.3)) == []
    assert warned(quiet, given=("0", 0.2, None)) == []


def test_a_dying_method_and_a_round_that_keeps_little_give_warnings() -> None:
    dying = {"solutions": 1000, "kept": 500, "kept_by_method": {"cot": 5, "pot": 495}}
    (said,) = warned(round_of(1, filter=dying))
    assert "Method cot is dying out: only 5 of 500 kept solutions" in said
    (said,) = warned(round_of(1, filter={"solutions": 1000, "kept": 99, "kept_by_method": {"pot": 99}}))
    assert "The round kept only 9.9%" in said
    assert warned(round_of(1, filter={"solutions": 1000, "kept": 100, "kept_by_method": {"pot": 100}})) == []


def test_restarts_of_training_give_a_warning() -> None:
    assert "restarted 2 times" in warned(round_of(0, train={"restarts": 2}))[0]
    assert "restarted once" in warned(round_of(0, train={"restarts": 1}))[0]


LINES = Chart(
    "a", "Share <of> things", "lines", "round", "solved", [0, 1, 2],
    [Series("cot", [0.1, None, 0.5], [0.05, None, 0.4], [0.2, None, 0.6]), Series("<b>& $x_1$", [0.2, 0.3, 0.4])],
    share=True,
)  # fmt: skip
STACK = stacked("b", "Stack", "round", "rows", {1: {"x": 3, "y": 1}, 2: {"y": 4}}, share=True)


LOSS = Chart("d", "Loss", "lines", "step", "nats", [float(i) for i in range(100)], [Series("solver", [1.0] * 100)])


@pytest.mark.parametrize("chart", [LINES, STACK, LOSS, Chart("c", "None", "lines", "x", "y", [], [])])
def test_a_static_chart_is_well_formed_svg_with_its_labels_and_names(chart) -> None:
    """Names are escaped, and dollar signs start no formula."""
    root = ElementTree.fromstring(svg(chart))
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert {chart.x_label, chart.y_label, *(series.name for series in chart.series)} <= set(texts)
    assert "viewBox" in root.attrib


def test_equal_charts_give_equal_svg() -> None:
    assert svg(LINES) == svg(LINES)


def test_the_accuracy_table_has_pass_at_k_and_majority_votes_where_there_are_samples() -> None:
    test = {
        "accuracy": {"cot": 0.5, "vote": 0.75, "any": 0.8},
        "pass@k": {"cot": {"1": 0.5, "4": 0.7}, "any": {"1": 0.8, "4": 0.9}},
        "maj@k": {"cot": {"4": 0.6}},
    }
    table = accuracy_table(round_of(1, evaluate={"test": test}))
    assert table.columns == ["", "dev", "test", "pass@1, test", "pass@4, test", "maj@4, test"]
    assert table.rows[0] == ["cot", "", "50.0", "50.0", "70.0", "60.0"]
    assert table.rows[1] == ["majority vote", "", "75.0", "", "", ""]
    assert table.rows[2] == ["any method", "", "80.0", "80.0", "90.0", ""]


def test_the_table_of_a_plot_has_its_numbers_and_intervals() -> None:
    assert LINES.table.columns == ["round", "cot", "cot, from", "cot, to", "<b>& $x_1$"]
    assert LINES.table.rows[1] == [1, None, None, None, 0.3]
    assert STACK.table.rows == [[1, 0.75, 0.25], [2, 0.0, 1.0]]


def test_a_long_curve_is_thinned_with_its_ends_kept() -> None:
    for count in (0, 1, MOST_POINTS, 12_345):
        kept = thinned(range(count))
        assert len(kept) <= MOST_POINTS + 1
        assert kept[:1] + kept[-1:] == ([0, count - 1] if count else [])


def test_durations_have_a_fitting_unit() -> None:
    assert [duration(s) for s in (5, 89, 600, 7200)] == ["5 s", "89 s", "10 min", "2.0 h"]
