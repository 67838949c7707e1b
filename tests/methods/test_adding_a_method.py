"""Adding a method takes one file and its registration: this one is verified, filtered, trained and translated."""

import asyncio
from dataclasses import replace

import pytest

from mmst.actors.solver import Solver
from mmst.actors.verifier import Verifier
from mmst.config import FilterConfig, SandboxConfig, TaskLimit
from mmst.methods import METHODS, methods_named, register
from mmst.methods.card import card_of
from mmst.methods.method import Method
from mmst.methods.prompts import PromptFormat, TaskPrompt
from mmst.records import Completion, Problem, Request, Solution, Verdict
from mmst.selection import filter_rows
from mmst.stages.train import pool_rows, view_rows

PROBLEM = Problem(
    id="p", question="Ann has 3 apples and buys 4. How many has she?", answer="7", views={"tally": "|||||||"}
)


class Tally(Method):
    """As many strokes as the answer says."""

    name = "tally"
    view = "tally"
    task_prompt = TaskPrompt("Solve it by strokes.", "Rewrite it as strokes.", "Write one stroke (|) for each.")

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
    verify, model, prompt_format = Verifier([cot, toy], SandboxConfig()), Parrot(), PromptFormat()

    async def verified(method: str, completion: Completion) -> Verdict:
        return verify.verify([(method, completion)])[0]

    def read(method: str, text: str) -> Verdict:
        return verify.verify([(method, Completion(text, "stop", 0))])[0]

    async def solve_and_translate() -> tuple[Solution, Solution, Solution]:
        solver = Solver(
            prompt_format,
            model,
            verified,
            {"solver": "c"},
            seed=0,
            in_flight=2,
            slots=asyncio.Semaphore(2),
            max_tokens=9,
        )
        (own,) = await solver.solve(PROBLEM, toy, sample=0, round_=1, purpose="generate")
        words = replace(own, method="cot", solution_id="w", text="3 + 4 = 7. The answer is 7.")
        (translated,) = await solver.translate(words, cot, toy, None, round_=1)
        return own, words, translated

    try:
        own, words, translated = asyncio.run(solve_and_translate())
        texts = [own.text, "|||||||", "|||", "seven"]
        rows = [{"problem_id": "p", "answer": "7", "method": "tally", "text": text} for text in texts]
        decisions = [row["reason"] for row in filter_rows(rows, read, FilterConfig(label="gold"))]
    finally:
        verify.close()
    assert [(s.method, s.status, s.answer) for s in (own, translated)] == [("tally", "ok", "7")] * 2
    assert model.asked == [
        f"{PROBLEM.question}\nSolve it by strokes.\n",
        "3 + 4 = 7. The answer is 7.\nRewrite it as strokes.\n",
    ]
    assert decisions == ["kept", "duplicate", "wrong", "not_ok:no_answer"]

    (view,) = view_rows([PROBLEM], {"tally": TaskLimit()}, prompt_format, seed=0, show_question=False)
    assert (view.prompt, view.completion) == (model.asked[0], "|||||||")
    kept = [("native", words), ("translated", translated)]
    pool = list(pool_rows(kept, {"p": PROBLEM.question}, prompt_format, pairs=True, show_question=False))
    assert [row.task for row in pool] == ["cot", "tally", "cot->tally"]
    assert (pool[2].prompt, pool[2].completion) == (model.asked[1], "|||| |||")
    assert card_of(prompt_format, [cot, toy])["instructions"]["tally"] == "Solve it by strokes."
