"""Adding a method is one file plus its registration: this one is judged, filtered, trained on and translated."""

import asyncio
from dataclasses import replace

import pytest

from mmst.config import FilterConfig, SandboxConfig, TaskLimit
from mmst.judging.judge import Judge
from mmst.methods import METHODS, methods_named, register
from mmst.methods.asking import Asking
from mmst.methods.base import Completion, Method, Request, Solution, Verdict, Wording
from mmst.problems.record import Problem
from mmst.selection import filter_rows
from mmst.stages.rows import pool_rows, view_rows
from mmst.stages.solving import Solver

PROBLEM = Problem(
    id="p", question="Ann has 3 apples and buys 4. How many has she?", answer="7", views={"tally": "|||||||"}
)


class Tally(Method):
    """As many strokes as the answer says."""

    name = "tally"
    view = "tally"
    wording = Wording("Solve it by strokes.", "Rewrite it as strokes.", "Write one stroke (|) for each.")

    def answer(self, text, sandbox) -> Verdict:
        number = str(text.count("|"))
        return Verdict("ok", number, number) if "|" in text else Verdict("no_answer")

    def duplicate_key(self, text: str) -> str:
        return str(text.count("|"))


@pytest.fixture
def tally():
    yield register(Tally())
    del METHODS["tally"]


class Parrot:
    """A model that writes seven strokes whatever it is asked, and remembers what that was."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def complete(self, request: Request) -> Completion:
        self.asked.append(request.prompt)
        return Completion("|||| |||", "stop", 7)


def test_a_method_of_one_class_goes_through_the_whole_round(tally) -> None:
    cot, toy = methods_named(["cot", "tally"])
    judge, model, asking = Judge([cot, toy], SandboxConfig()), Parrot(), Asking()

    async def judged(method: str, completion: Completion) -> Verdict:
        return judge.judge([(method, completion)])[0]

    def read(method: str, text: str) -> Verdict:
        return judge.judge([(method, Completion(text, "stop", 0))])[0]

    async def solve_and_translate() -> tuple[Solution, Solution, Solution]:
        solver = Solver(
            asking, model, judged, {"solver": "checkpoint"}, seed=0, slots=asyncio.Semaphore(2), max_tokens=9
        )
        (own,) = await solver.solve(PROBLEM, toy, sample=0, round_=1, purpose="generate")
        words = replace(own, method="cot", solution_id="w", text="3 + 4 = 7. The answer is 7.")
        return own, words, await solver.translate(words, cot, toy, None, round_=1)

    try:
        own, words, translated = asyncio.run(solve_and_translate())
        texts = [own.text, "|||||||", "|||", "seven"]
        rows = [{"problem_id": "p", "answer": "7", "method": "tally", "text": text} for text in texts]
        fates = [row["reason"] for row in filter_rows(rows, read, FilterConfig(label="gold"))]
    finally:
        judge.close()
    assert [(s.method, s.status, s.answer) for s in (own, translated)] == [("tally", "ok", "7")] * 2
    assert model.asked == [
        f"{PROBLEM.question}\nSolve it by strokes.\n",
        "3 + 4 = 7. The answer is 7.\nRewrite it as strokes.\n",
    ]
    assert fates == ["kept", "duplicate", "wrong", "not_ok:no_answer"]

    (view,) = view_rows([PROBLEM], {"tally": TaskLimit()}, asking, seed=0, show_question=False)
    assert (view.prompt, view.completion) == (model.asked[0], "|||||||")
    pool = list(pool_rows([words], [translated], {"p": PROBLEM.question}, asking, pairs=True, show_question=False))
    assert [row.task for row in pool] == ["cot", "tally", "cot->tally"]
    assert (pool[2].prompt, pool[2].completion) == (model.asked[1], "|||| |||")
    assert asking.card([cot, toy])["wordings"]["tally"] == "Solve it by strokes."
