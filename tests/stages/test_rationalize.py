"""Rationalization: which problems are solved again, which solutions are dropped, and that training shows no answer."""

from types import SimpleNamespace

import pytest

from mmst.config import FilterConfig
from mmst.methods import METHODS
from mmst.methods.prompts import PromptFormat
from mmst.records import FilterDecision, Problem, Solution
from mmst.runs.directory import RunDirectory
from mmst.runs.tables import write_table
from mmst.selection import Label, SolutionFilter
from mmst.stages.filter import read_kept
from mmst.stages.rationalize import unsolved_problems
from mmst.stages.train import pool_rows

PROBLEMS = [Problem(id=f"p{n}", question=f"What is {n} + 1?", answer=str(n + 1)) for n in range(4)]


def solution(number: int, method: str, text: str, purpose: str = "hint", key: str | None = None) -> Solution:
    return Solution(
        solution_id=f"{purpose}-1/p{number}/{method}/0", problem_id=f"p{number}", round=1, method=method, sample=0,
        checkpoint="c", seed=1, prompt="", text=text, finish_reason="stop", tokens=5, status="ok",
        answer=key or str(number + 1), key=key or str(number + 1),
    )  # fmt: skip


def decision(number: int, kept: bool, source: str | None = "gold", purpose: str = "solve") -> FilterDecision:
    key = str(number + 1) if source else None
    name = f"{purpose}-1/p{number}/cot/0"
    return FilterDecision(name, f"p{number}", "cot", key, key, source, 0.0, kept, "kept" if kept else "wrong")


def commit(round_, stage: str, directory, decisions, rows: list[FilterDecision], solutions: list[Solution]) -> None:
    write_table(directory / "part-00000.parquet", Solution, solutions)
    write_table(decisions, FilterDecision, rows)
    if stage == "filter":
        with round_.stage("generate") as made:
            made.parts = [round_.part(directory / "part-00000.parquet", len(solutions))]
    with round_.stage(stage) as made:
        made.parts = [round_.part(directory / "part-00000.parquet", len(solutions)), round_.part(decisions, len(rows))]


@pytest.fixture
def context(tmp_path):
    run = RunDirectory(tmp_path)
    first = run.round(1)
    natives = [solution(n, "cot", f"{n} + 1 = {n + 1}", "solve") for n in range(4)]
    rows = [decision(0, True), decision(1, False), decision(2, False), decision(3, False, source=None)]
    commit(first, "filter", first.solutions, first.decisions, rows, natives)
    config = SimpleNamespace(rounds=SimpleNamespace(problems=None), seed=0)
    return SimpleNamespace(run=run, config=config, problems={"train": PROBLEMS})


def test_problems_with_an_answer_of_which_nothing_was_kept_are_asked_again(context) -> None:
    assert [p.id for p in unsolved_problems(context, context.run.round(1))] == ["p1", "p2"]


def test_what_a_hint_solved_in_an_earlier_round_is_not_asked_again(context) -> None:
    first, second = context.run.round(1), context.run.round(2)
    rationalized = [solution(2, "cot", "2 + 1 = 3. The answer is 3.")]
    rows = [decision(2, True, purpose="hint")]
    commit(
        first, "rationalize", first.rationalizations, first.rationalizations / "decisions.parquet", rows, rationalized
    )
    assert [row.problem_id for row in read_kept(first, "rationalize")] == ["p2"]
    write_table(second.decisions, FilterDecision, [decision(n, False) for n in range(3)])
    assert [p.id for p in unsolved_problems(context, second)] == ["p1"]


def test_a_solution_that_only_states_the_answer_is_dropped_with_its_own_reason() -> None:
    solution_filter = SolutionFilter(FilterConfig(), must_calculate=True)
    solutions = [
        solution(1, "pot", "print(2)"),
        solution(1, "cot", "As said, the answer is 2."),
        solution(1, "cot", "1 + 1 = 2. The answer is 2."),
        solution(2, "pot", "print(2 + 2)", key="4"),
    ]
    reasons = [solution_filter.decide([s], Label(s.key, s.key, "gold"))[0].reason for s in solutions[:3]]
    reasons += [solution_filter.decide(solutions[3:], Label("3", "3", "gold"))[0].reason]
    assert reasons == ["no_calculation", "no_calculation", "kept", "wrong"]


@pytest.mark.parametrize("style", ["tuned", "base", "chat"])
def test_the_hint_is_shown_in_every_style_after_the_question_and_before_the_instruction(style: str) -> None:
    prompt_format, method = PromptFormat(style, template=lambda messages: messages[0]["content"]), METHODS["pot"]
    prompt = method.prompt(prompt_format, prompt_format.with_answer("What is 1 + 1?", "2"))
    assert "What is 1 + 1?\n(The answer is 2." in prompt
    assert prompt.index("(The answer is 2.") < prompt.rindex(method.task_prompt.solve)


def test_what_was_solved_with_a_hint_is_trained_without_it() -> None:
    question = PROBLEMS[1].question
    rationalized = solution(1, "pot", "print(1 + 1)")
    (row,) = pool_rows([("rationalized", rationalized)], {"p1": question}, PromptFormat(), True, True)
    assert (row.source, row.prompt) == ("rationalized", METHODS["pot"].prompt(PromptFormat(), question))
    assert "The answer is" not in row.prompt


@pytest.mark.parametrize(
    "program",
    [
        "total = 3 + 4\nprint(total)",
        "def solution():\n    a = 3\n    a += 4\n    return a",
        "def add(a, b):\n    return a + b\nprint(f'{add(3, 4)}')",
        "ans = sum([3, 4])",
        "import math\nprint(math.comb(7, 1))",
        "for x in range(100):\n    if 2 * x == 14:\n        print(x)",
        "def solution():\n    left = 9 - 2\n    result = left\n    return int(result)",
    ],
)
def test_a_program_that_works_its_answer_out_calculates(program: str) -> None:
    assert METHODS["pot"].calculates(program)


@pytest.mark.parametrize(
    "program",
    [
        "print(7)",
        "total = 3 + 4\nprint(7)",
        "answer = 7\nprint(f'The answer is {answer}')",
        "def solution():\n    return 7\nprint(solution())",
        "ans = -7",
        "print(int('7'))",
        "no program",
    ],
)
def test_a_program_that_knows_its_answer_does_not(program: str) -> None:
    assert not METHODS["pot"].calculates(program)


@pytest.mark.parametrize(
    ("method", "text", "calculates"),
    [
        ("eot", "# given\nx = 7\nans = x", False),
        ("eot", "ans = 7", False),
        ("eot", "y = 3 + 4\nx = 7\nans = x", False),
        ("eot", "# 3 + 4\nans = 7", False),
        ("eot", "total = 3 + 4\nans = total", True),
        ("eot", "2x = 14\nans = x", True),
        ("eot", "ans = 3 + 4", True),
        ("prefix", "7", False),
        ("prefix", "+ 3 4", True),
    ],
)
def test_so_do_equations_and_trees(method: str, text: str, calculates: bool) -> None:
    assert METHODS[method].calculates(text) == calculates
