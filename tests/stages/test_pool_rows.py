"""The training rows of a round: annotated solutions by task, kept solutions, translations and pairs, each traceable."""

import pytest

from mmst.config import TaskLimit
from mmst.errors import InputError
from mmst.methods.prompts import PromptFormat
from mmst.records import Problem, Solution
from mmst.stages.train import pool_rows, view_rows

PROBLEMS = [
    Problem(
        id=f"p{n}",
        question=f"What is {n} + 1?",
        answer=str(n + 1),
        views={"cot": f"{n} + 1 = {n + 1}", "program": f"a = {n} + 1\nprint(a)"},
    )
    for n in range(10)
]


def solution(number: int, method: str, text: str, origin: str | None = None) -> Solution:
    name = f"s{number}" if origin is None else f"{origin}>{method}"
    return Solution(
        solution_id=name, problem_id=f"p{number}", round=1, method=method, sample=0, origin_id=origin, checkpoint="c",
        seed=1, prompt="", text=text, finish_reason="stop", tokens=5, status="ok", answer="1", key="1",
    )  # fmt: skip


def views(tasks: dict[str, TaskLimit]) -> list:
    return list(view_rows(PROBLEMS, tasks, PromptFormat(), seed=0, show_question=False))


def test_tasks_with_a_limit_take_different_problems_while_there_are_enough() -> None:
    rows = views({"cot": TaskLimit(limit=4), "pot": TaskLimit(limit=6)})
    assert len({row.problem_id for row in rows}) == 10
    rows = views({"cot": TaskLimit(limit=8), "pot": TaskLimit(limit=8)})
    assert len({row.problem_id for row in rows}) == 10
    assert len(rows) == 16


def test_a_pair_of_views_is_a_translation() -> None:
    row = views({"pot->cot": TaskLimit(limit=1)})[0]
    number = int(row.problem_id[1:])
    assert row.task == "pot->cot"
    assert row.prompt.startswith(f"a = {number} + 1 # {number + 1}\nprint(a) # {number + 1}\n")
    assert row.completion == f"{number} + 1 = {number + 1}\nThe answer is {number + 1}."


def test_the_draw_depends_on_the_seed() -> None:
    def chosen(problems, seed):
        rows = view_rows(problems, {"cot": TaskLimit(limit=3)}, PromptFormat(), seed, show_question=False)
        return {row.problem_id for row in rows}

    assert chosen(PROBLEMS, 0) != chosen(PROBLEMS, 1)


@pytest.mark.parametrize("task", ["cot->pot->cot", "haiku"])
def test_a_task_that_is_none_is_refused(task: str) -> None:
    with pytest.raises(InputError, match=r"round0\.tasks"):
        views({task: TaskLimit()})


def test_a_view_names_the_method_that_it_shows() -> None:
    by_view, by_method = views({"program": TaskLimit()}), views({"pot": TaskLimit()})
    assert by_view == by_method
    assert by_view[0].task == "pot"


def test_a_problem_without_the_view_is_passed_over() -> None:
    mixed = [*PROBLEMS, Problem(id="bare", question="?")]
    assert len(list(view_rows(mixed, {"cot": TaskLimit()}, PromptFormat(), 0, show_question=False))) == len(PROBLEMS)


def test_noise_is_the_share_of_views_with_a_mistake() -> None:
    many = [PROBLEMS[0].model_copy(update={"id": f"q{n}"}) for n in range(1000)]

    def wrong(noise: float) -> int:
        rows = view_rows(many, {"cot": TaskLimit()}, PromptFormat(), 0, show_question=False, noise=noise)
        return sum(row.completion != "0 + 1 = 1\nThe answer is 1." for row in rows)

    assert wrong(0.0) == 0
    assert 350 < wrong(0.4) < 450


def test_a_view_that_no_problem_has_is_named() -> None:
    bare = [Problem(id="a", question="?")]
    with pytest.raises(InputError, match="`program`"):
        list(view_rows(bare, {"pot": TaskLimit()}, PromptFormat(), 0, show_question=False))


def test_kept_solutions_train_their_method_and_translations_both_ways_of_reading() -> None:
    native = solution(3, "pot", "a = 3 + 1\nprint(a)")
    translated = solution(3, "cot", "3 + 1 = 4. The answer is 4.", origin=native.solution_id)
    questions = {p.id: p.question for p in PROBLEMS}
    kept = [("native", native), ("translated", translated)]
    rows = list(pool_rows(kept, questions, PromptFormat(), pairs=True, show_question=False))
    assert [(row.task, row.source) for row in rows] == [("pot", "native"), ("cot", "translated"), ("pot->cot", "pair")]
    assert rows[2].prompt.startswith("a = 3 + 1 # 4")
    assert [row.solution_id for row in rows] == ["s3", "s3>cot", "s3>cot"]


def test_a_limited_pool_trains_on_the_chosen_solutions_only() -> None:
    native = solution(3, "pot", "a = 3 + 1\nprint(a)")
    translated = solution(3, "cot", "3 + 1 = 4. The answer is 4.", origin=native.solution_id)
    questions = {p.id: p.question for p in PROBLEMS}

    def sources(chosen: set[str]) -> list[str]:
        kept = [("native", native), ("translated", translated)]
        return [row.source for row in pool_rows(kept, questions, PromptFormat(), True, False, chosen)]

    assert sources({native.solution_id}) == ["native"]
    assert sources({translated.solution_id}) == ["translated", "pair"]


def test_a_solution_of_several_requests_is_a_row_for_each_with_its_role() -> None:
    pairs = [["How many first?", "3 + 1 = 4."], ["How many then?", "4 + 1 = 5."]]
    asked = Problem(id="p3", question="What is 3 + 1 + 1?", answer="5", views={"socratic": pairs})
    empty = asked.model_copy(update={"id": "p4", "views": {"socratic": []}})
    rows = list(view_rows([asked, empty], {"socratic": TaskLimit()}, PromptFormat(), seed=0, show_question=False))
    assert [(row.task, row.role) for row in rows] == [
        ("socratic/decompose", "decomposer"),
        ("socratic/solve", "solver"),
        ("socratic/solve", "solver"),
    ]
    native = solution(3, "socratic", "Q: How many?\nA: 3 + 1 = 4.\nThe answer is 4.")
    rows = list(pool_rows([("native", native)], {"p3": "What?"}, PromptFormat(), pairs=True, show_question=False))
    assert [row.role for row in rows] == ["decomposer", "solver"]
    assert {row.solution_id for row in rows} == {"s3"}


def test_thinking_is_not_trained_on() -> None:
    native = solution(3, "pot", "<think>Add.</think>\na = 3 + 1\nprint(a)")
    translated = solution(3, "cot", "<think>Now.</think>3 + 1 = 4. The answer is 4.", origin=native.solution_id)
    kept = [("native", native), ("translated", translated)]
    rows = pool_rows(kept, {p.id: p.question for p in PROBLEMS}, PromptFormat(), pairs=True, show_question=False)
    texts = [text for row in rows for text in (row.prompt, row.completion)]
    assert texts[1] == "a = 3 + 1\nprint(a)"
    assert not any("think" in text for text in texts)
