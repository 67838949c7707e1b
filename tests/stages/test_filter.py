"""The filter stage: answers that canonical forms cannot compare are undecided, or decided by Math-Verify if asked."""

from pathlib import Path

import pytest
from small_run import small_run

from mmst.config.file import build_config
from mmst.methods import methods_named
from mmst.progress import Reporter
from mmst.records import FilterDecision, Problem, Solution
from mmst.runs.directory import RunDirectory
from mmst.runs.tables import read_table, write_table
from mmst.stages.context import StageContext
from mmst.stages.filter import filter_solutions
from mmst.verify.answers import read_answer


@pytest.mark.parametrize(("math_verify", "reason"), [(False, "undecided"), (True, "kept")])
def test_math_verify_decides_only_if_it_is_asked(tmp_path: Path, math_verify: bool, reason: str) -> None:
    tree = {"problems": {"train": "given.jsonl"}, "methods": ["cot"], "filter": {"math_verify": math_verify}}
    problem = Problem(id="p", question="1 + 2 + 3 + 4?", answer=r"\sum_{i=1}^4 i")
    run, config = RunDirectory(tmp_path), build_config(tree)
    context = StageContext(config, run, {"train": [problem]}, methods_named(["cot"]), None, Reporter())  # type: ignore[arg-type]
    solution = Solution(
        solution_id="s", problem_id="p", round=1, method="cot", sample=0, checkpoint="c", seed=0, prompt="?",
        text="The answer is 10.", finish_reason="stop", tokens=5, status="ok", answer="10", key=read_answer("10").key,
    )  # fmt: skip
    path = run.round(1).solutions / "part-00000.parquet"
    with run.round(1).stage("generate") as commit:
        commit.parts = [run.round(1).part(path, write_table(path, Solution, [solution]))]
    filter_solutions(context, run.round(1))
    assert [row.reason for row in read_table(run.round(1).decisions, FilterDecision)] == [reason]


def test_figures_count_every_reason_and_the_labels(tmp_path: Path) -> None:
    figures = small_run(tmp_path / "run").round(1).figures("filter")
    assert figures == {
        "solutions": 4,
        "kept": 2,
        "kept_by_method": {"cot": 1, "pot": 1},
        "problems_with_kept": 1,
        "reasons": {"kept": 2, "not_ok:no_answer": 1, "not_ok:timeout": 1},
        "labels": {"gold": 2},
    }
