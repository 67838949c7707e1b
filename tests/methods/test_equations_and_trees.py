"""The methods eot and prefix: verdicts, shown values, duplicates, and solutions made from views."""

import json
from pathlib import Path

import pytest

from mmst.config import FilterConfig
from mmst.methods import METHODS
from mmst.problems.read import derive_views, read_problems
from mmst.records import Completion, Verdict
from mmst.selection import filter_rows
from mmst.verify.answers import read_answer
from mmst.verify.programs import Sandbox

DATA = Path(__file__).parents[3] / "shared/data"
REAL = DATA / "real_outputs.gsm8k.even.jsonl"
EOT, PREFIX, COT = METHODS["eot"], METHODS["prefix"], METHODS["cot"]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("method", "text", "status", "answer"),
    [
        (EOT, "# a pair of shoes\nshoes = 2 * 9\nans = shoes", "ok", "18"),
        (EOT, "Here it is:\n```\nside * side = 49\nans = side\n```\nSo 8.", "ok", "7"),
        (EOT, "ans = a / 3\na = 5", "ok", "1.6666666666666667"),
        (EOT, "a = 2\na = 3\nans = a", "contradictory", None),
        (EOT, "(x - 1) * (x - 2) = 0\nans = x", "several_solutions", None),
        (PREFIX, "+ 3 * 4 5", "ok", "23"),
        (PREFIX, "- ( 8 3 )", "ok", "5"),
        (PREFIX, "*(-(8,3),2.5)", "ok", "12.5"),
        (PREFIX, "Prefix: `÷ 1,000 × 2 25%` = 2000", "ok", "2000"),
        (PREFIX, "- 8 -3\n", "ok", "11"),
        (PREFIX, "/ 3 0", "syntax_error", None),
        (PREFIX, "8 - 3", "syntax_error", None),
        (PREFIX, "* " * 1000 + "9 " * 1001, "syntax_error", None),
        (PREFIX, "", "syntax_error", None),
    ],
)
def test_a_solution_is_verified_by_what_it_states(sandbox, method, text, status, answer) -> None:
    verdict = method.read(Completion(text, "stop", 9), sandbox)
    assert (verdict.status, verdict.answer) == (status, answer)
    if answer:
        assert verdict.key == read_answer(answer).key


def test_solutions_are_shown_with_what_they_computed() -> None:
    shown = EOT.with_values("# 3 boxes\nboxes = 3 * 12\nboxes = kept + 5\nans = kept")
    assert shown == "# 3 boxes\nboxes = 3 * 12 # 36\nboxes = kept + 5 # 36\nans = kept # 31"
    assert EOT.with_values("side * side = 49\nans = side") == "side * side = 49\nans = side"
    assert PREFIX.with_values("* - 8 3 2") == "* - 8 3 2 # 8 - 3 = 5, 5 * 2 = 10"
    assert PREFIX.with_values("8 - 3") == "8 - 3"


def test_duplicates_are_equal_systems_and_equal_trees() -> None:
    assert EOT.duplicate_key("a = 3 + 4\nans = a") == EOT.duplicate_key("# sum\ntotal = 3+4\nans = total")
    assert EOT.duplicate_key("a = 3 + 4\nans = a") != EOT.duplicate_key("a = 4 + 3\nans = a")
    assert EOT.duplicate_key("a = 3 +") == EOT.duplicate_key("A = 3 +")
    assert PREFIX.duplicate_key("+ 3.0 * 4 5") == PREFIX.duplicate_key("+ ( 3 * ( 4, 5 ) )")
    assert PREFIX.duplicate_key("+ 3 4") != PREFIX.duplicate_key("+ 4 3")


def test_a_false_calculation_in_a_comment_is_found() -> None:
    assert EOT.false_calculation("# 3 * 4 = 13 eggs\neggs = 3 * 4\nans = eggs")
    assert EOT.false_calculation("# 3 * 4 = 12 eggs\neggs = 3 * 4\nans = eggs") is None


def test_an_equation_is_a_system_and_a_tree_too() -> None:
    assert EOT.from_view("( 8 - 3 ) * 2", "10") == "left = 8 - 3\nproduct = left * 2\nans = product"
    assert EOT.from_view("a = 3\nans = a", "3") == "a = 3\nans = a"
    assert PREFIX.from_view("( 8 - 3 ) * 2", "10") == "* - 8 3 2"
    assert PREFIX.from_view("* - 8 3 2", "10") == "* - 8 3 2"


@pytest.mark.skipif(not REAL.exists(), reason="needs the shared data sets beside the checkout")
@pytest.mark.parametrize("name", ["mawps1921.train", "svamp.test", "asdiv_a.train"])
def test_trees_and_systems_of_real_data_give_the_reference_answer(sandbox, name: str) -> None:
    problems = [derive_views(problem) for problem in read_problems(str(DATA / f"{name}.jsonl"))][:400]
    for method in (EOT, PREFIX):
        views = [problem for problem in problems if method.view in problem.views]
        assert len(views) >= 0.95 * len(problems)
        right = 0
        for problem in views:
            verdict = method.answer(method.from_view(problem.views[method.view], problem.answer), sandbox)
            assert verdict.status == "ok"
            right += float(str(verdict.answer)) == pytest.approx(float(str(problem.answer)), rel=1e-3)
        assert right >= 0.99 * len(views)


@pytest.mark.skipif(not REAL.exists(), reason="needs the shared data sets beside the checkout")
def test_no_right_answer_that_the_public_reader_found_is_lost(sandbox) -> None:
    rows = [json.loads(line) for line in REAL.read_text().splitlines()]
    rows = [row for row in rows if row["method"] == "eot"]

    def verify(method: str, text: str) -> Verdict:
        return METHODS[method].read(Completion(text, "stop", 0), sandbox)

    out = list(filter_rows(rows, verify, FilterConfig(label="gold")))
    assert [row["problem_id"] for row in out if row["reference_correct"] and not row["kept"]] == []
    assert sum(row["kept"] for row in out) >= sum(row["reference_correct"] for row in rows) + 40
