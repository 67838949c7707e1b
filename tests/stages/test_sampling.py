"""The recipe of the sampling stages, and annotated solutions as a teacher, exact or partly corrupted."""

import asyncio
import contextlib
from types import SimpleNamespace

import mmst.stages.sampling
from mmst.config.file import build_config
from mmst.methods import METHODS
from mmst.methods.method import SamplingParams
from mmst.methods.prompts import PromptFormat
from mmst.progress import Reporter
from mmst.records import Completion, Problem, Request
from mmst.runs.directory import RunDirectory
from mmst.stages.context import StageContext
from mmst.stages.sampling import Views, sample

COT, POT = METHODS["cot"], METHODS["pot"]
PROBLEMS = [
    Problem(id=f"p{n}", question=f"{n} and 1?", answer=str(n + 1), views={"cot": f"a: {n} + 1 = {n + 1}"})
    for n in range(400)
]


def written(noise: float, start: int = 0) -> list[str]:
    teacher = Views(PROBLEMS, [COT, POT], PromptFormat(), noise)

    async def ask() -> list[Completion]:
        prompts = [COT.prompt(PromptFormat(), problem.question) for problem in PROBLEMS]
        return [await teacher.complete(Request(prompt, start + n, 9)) for n, prompt in enumerate(prompts)]

    return [completion.text for completion in asyncio.run(ask())]


def test_a_teacher_of_views_writes_the_solution_as_the_method_has_it() -> None:
    assert written(0.0)[3] == "a: 3 + 1 = 4\nThe answer is 4."


def test_as_many_solutions_are_corrupted_as_asked_for_and_the_same_ones_every_time() -> None:
    exact, noisy = written(0.0), written(0.25)
    changed = sum(a != b for a, b in zip(exact, noisy, strict=True))
    assert 0.15 < changed / len(exact) < 0.35
    assert noisy == written(0.25)
    assert noisy != written(0.25, start=1000)


def test_what_the_data_has_no_view_of_stays_without_a_reply() -> None:
    teacher = Views(PROBLEMS, [COT, POT], PromptFormat(), 0.0)
    asked = Request(POT.prompt(PromptFormat(), PROBLEMS[0].question), 1, 9)
    completion = asyncio.run(teacher.complete(asked))
    assert POT.read(completion, None).status == "no_reply"


def test_sub_questions_and_answers_are_written_one_request_after_the_other() -> None:
    socratic = METHODS["socratic"]
    view = [["How many at first?", "3 + 1 = 4."], ["How many then?", "4 + 1 = 5."]]
    problem = Problem(id="p", question="3, 1 and 1?", answer="5", views={"socratic": view})
    teacher, sampling = Views([problem], [socratic], PromptFormat(), 0.0), SamplingParams(lambda role, turn: turn, 9)
    turns = asyncio.run(socratic.solve(problem, PromptFormat(), teacher, None, sampling))
    assert turns[-1].completion.text == socratic.from_view(view, "5")
    assert len(turns) == 3


def test_enough_parts_are_in_progress_for_the_requests_of_all_replicas(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(mmst.stages.sampling, "PART", 4)
    config = build_config(
        {"problems": {"train": "given.jsonl"}, "cluster": {"in_flight": 8}, "engine": {"replicas": 3}}
    )
    runtime = SimpleNamespace(wait=asyncio.run, verifiers=lambda: SimpleNamespace(verify=None))
    context = StageContext(config, RunDirectory(tmp_path), {}, [COT], runtime, Reporter())  # type: ignore[arg-type]

    @contextlib.contextmanager
    def solver_of(context, round_, stage, commit):
        yield context.solver_by(None, PromptFormat(), {}, commit)

    monkeypatch.setattr(mmst.stages.sampling, "solver_of", solver_of)
    started, seen = 0, 0

    async def solve(solver, item) -> list:
        nonlocal started, seen
        started += 1
        await asyncio.sleep(0.01)
        seen = max(seen, started)
        started -= 1
        return []

    round_ = context.run.round(1)
    with round_.stage("generate") as commit:
        paths = sample(context, round_, "generate", commit, round_.solutions, list(range(200)), solve)
    assert len(paths) == 50
    assert seen >= 2 * 8 * 3
