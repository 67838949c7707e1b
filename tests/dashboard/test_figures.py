"""Warnings, plots and texts: what they say for figures that were chosen to say it."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from mmst.dashboard.charts import MOST_POINTS, Chart, Series, stacked, thinned
from mmst.dashboard.overview import duration
from mmst.dashboard.run import Round, Run
from mmst.dashboard.svg import draw, ticks
from mmst.dashboard.warnings import warnings_of
from mmst.runs.directory import RunDirectory


def round_of(number: int, **figures: dict) -> Round:
    manifests = {stage: {"seconds": 1.0, "figures": part} for stage, part in figures.items()}
    return Round(RunDirectory(Path("/nowhere")).round(number), manifests)


def dev(agreement: float, vote: float) -> dict:
    return {"dev": {"accuracy": {"cot": vote, "vote": vote}, "agreement": {"share": agreement}}}


def warned(*rounds: Round, given=None) -> list[str]:
    return warnings_of(Run("r", Path("/nowhere"), rounds=list(rounds)), rounds[-1], given)


def test_agreement_that_rises_while_accuracy_does_not_is_warned_of() -> None:
    before = round_of(1, evaluate=dev(0.3, 0.5))
    (said,) = warned(before, round_of(2, evaluate=dev(0.4, 0.49)))
    assert "Agreement rises (30% to 40%" in said
    assert warned(before, round_of(2, evaluate=dev(0.4, 0.55))) == []
    assert warned(before, round_of(2, evaluate=dev(0.31, 0.49))) == []


def test_one_answer_that_dominates_is_warned_of_unless_the_labels_do_the_same() -> None:
    quiet = round_of(1)
    (said,) = warned(quiet, given=("0", 0.4, 0.1))
    assert "40% of all answers are “0”; 10% of the labels are" in said
    assert warned(quiet, given=("0", 0.4, 0.3)) == []
    assert warned(quiet, given=("0", 0.2, None)) == []


def test_a_method_that_dies_out_and_a_round_that_keeps_little_are_warned_of() -> None:
    dying = {"solutions": 1000, "kept": 500, "kept_by_method": {"cot": 5, "pot": 495}}
    (said,) = warned(round_of(1, filter=dying))
    assert "The method cot dies out: 5 of 500" in said
    (said,) = warned(round_of(1, filter={"solutions": 1000, "kept": 99, "kept_by_method": {"pot": 99}}))
    assert "The round keeps 9.9%" in said
    assert warned(round_of(1, filter={"solutions": 1000, "kept": 100, "kept_by_method": {"pot": 100}})) == []


def test_training_that_began_anew_and_a_start_that_is_not_flat_are_warned_of() -> None:
    said = warned(round_of(0, train={"restarts": 2}, evaluate=dev(0.1, 0.1) | {"flat": False}))
    assert any("anew 2 times" in each for each in said)
    assert any("not flat" in each for each in said)


LINES = Chart(
    "a", "Share <of> things", "lines", "round", "solved", [0, 1, 2],
    [Series("cot", [0.1, None, 0.5], [0.05, None, 0.4], [0.2, None, 0.6]), Series("<b>&", [0.2, 0.3, 0.4])], share=True,
)  # fmt: skip
STACK = stacked("b", "Stack", "round", "rows", {1: {"x": 3, "y": 1}, 2: {"y": 4}}, share=True)


@pytest.mark.parametrize("chart", [LINES, STACK, Chart("c", "None", "lines", "x", "y", [], [])])
def test_a_chart_is_well_formed_svg_with_its_labels_inside_the_picture(chart) -> None:
    root = ElementTree.fromstring(draw(chart))
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert {chart.x_label, chart.y_label} <= set(texts)
    assert all(series.name in texts for series in chart.series)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for element in root.iter():
        for name, most in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(element.attrib.get(name, 0)) <= most
    assert root.attrib["aria-label"] == chart.title


def test_a_table_behind_a_plot_has_its_numbers_and_intervals() -> None:
    assert LINES.table.columns == ["round", "cot", "cot, from", "cot, to", "<b>&"]
    assert LINES.table.rows[1] == [1, None, None, None, 0.3]
    assert STACK.table.rows == [[1, 0.75, 0.25], [2, 0.0, 1.0]]


def test_names_are_no_markup_for_the_plotting_library() -> None:
    figure = json.loads(json.dumps(LINES.plotly))
    assert figure["data"][1]["name"] == "&lt;b&gt;&amp;"
    assert figure["data"][0]["error_y"]["array"] == pytest.approx([0.1, 0.0, 0.1])


@pytest.mark.parametrize(("top", "last"), [(0.83, 1.0), (7, 8), (1234, 1500), (0, 1), (float("nan"), 1)])
def test_ticks_are_round_and_reach_the_top(top, last) -> None:
    assert ticks(top)[-1] == pytest.approx(last)
    assert 3 <= len(ticks(top)) <= 7


def test_a_long_curve_is_thinned_with_its_ends_kept() -> None:
    for count in (0, 1, MOST_POINTS, 12_345):
        kept = thinned(range(count))
        assert len(kept) <= MOST_POINTS + 1
        assert kept[:1] + kept[-1:] == ([0, count - 1] if count else [])


def test_times_are_said_in_a_fitting_unit() -> None:
    assert [duration(s) for s in (5, 89, 600, 7200)] == ["5 s", "89 s", "10 min", "2.0 h"]
