"""Evaluation: ensembles choose before the reference answer is looked at, and samples have the configured length."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmst.actors.solver import Solver
from mmst.config import Config
from mmst.config.file import build_config
from mmst.evaluation import figures_of, vote
from mmst.methods import methods_named
from mmst.methods.prompts import PromptFormat
from mmst.progress import Reporter
from mmst.records import Completion, Problem, Request, Solution, Verdict
from mmst.runs.directory import RunDirectory
from mmst.stages.context import StageContext
from mmst.stages.evaluate import answer_all, outcomes_of
from mmst.verify.answers import read_answer

PROBLEM = Problem(id="p", question="10 / 3?", answer="3.33")


def answer(method: str, text: str) -> Solution:
    return Solution(
        solution_id=method, problem_id="p", round=1, method=method, sample=0, checkpoint="c", seed=0, prompt="",
        text=text, finish_reason="stop", tokens=1, status="ok", answer=text, key=read_answer(text).key,
    )  # fmt: skip


def test_votes_are_taken_on_the_answers_as_given_and_scored_afterwards() -> None:
    rows = [answer("cot", "3.33"), answer("pot", "3.3333333333333335"), answer("eot", "9"), answer("prefix", "9")]
    (outcome,) = outcomes_of(rows, [PROBLEM])
    assert outcome.right == {read_answer("3.33").key, "10/3"}
    assert vote(outcome.answers, {"cot": 0.9}).key == "9"
    figures = figures_of([outcome], ["cot", "pot", "eot", "prefix"], {"cot": 0.9})
    assert figures["right"] == {
        "cot": ["p"], "pot": ["p"], "eot": [], "prefix": [], "vote": [], "weighted": ["p"], "cascade": ["p"],
        "any": ["p"],
    }  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), [({}, 256), ({"max_tokens": 9}, 9)])
def test_answers_are_as_long_as_the_evaluation_allows(given: dict[str, int], expected: int) -> None:
    asked: list[Request] = []

    class Model:
        async def complete(self, request: Request) -> Completion:
            asked.append(request)
            return Completion("The answer is 7.", "stop", 5)

    async def verify(method: str, completion: Completion) -> Verdict:
        return Verdict("ok", "7", "7")

    config: Config = build_config({"problems": {"train": "given.jsonl"}, "methods": ["cot"], "evaluation": given,
                                   "filter": {"agreement": {"methods": 1}}})  # fmt: skip
    runtime = SimpleNamespace(wait=asyncio.run)
    context = StageContext(config, RunDirectory(Path()), {}, methods_named(["cot"]), runtime, Reporter())  # type: ignore[arg-type]
    solver = Solver(PromptFormat(), Model(), verify, {"solver": "c"}, 0, 4, asyncio.Semaphore(4), 256)
    answer_all(context, solver, [PROBLEM], 0, "evaluate", samples=2)
    assert [(request.max_tokens, request.temperature) for request in asked] == [(expected, 0.0), (expected, 0.8)]
