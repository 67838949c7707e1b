"""The sampling stages with a teacher: stages and verifier are real, Ray and vLLM are not."""

import asyncio
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import pytest
from rich.console import Console
from test_endpoint import Server, fault, said, server  # noqa: F401  (the fixture)

from mmst.actors.verifier import Verifier
from mmst.config import Config
from mmst.config.file import build_config, with_settings
from mmst.errors import InputError
from mmst.methods import methods_named
from mmst.problems.sets import read_sets
from mmst.progress import Reporter
from mmst.records import Completion, Request, Solution, Verdict
from mmst.runs.directory import RoundDirectory, RunDirectory
from mmst.runs.tables import read_table
from mmst.stages.context import StageContext
from mmst.stages.filter import filter_solutions, read_kept
from mmst.stages.generate import generate
from mmst.stages.rationalize import rationalize
from mmst.stages.translate import translate

TREE = {
    "problems": {
        "synthetic": {"train": 40, "annotated": 1, "dev": 1, "test": 3, "views_everywhere": ["cot", "program"]}
    },
    "generator": "teacher",
    "teacher": {"views": True, "noise": 0.6},
    "sampling": {"k": 1},
    "hint": {"enabled": True},
}


class Student:
    """Repeats the answer that it is told: as a calculation in words, as a mere statement in a program."""

    report: ClassVar[dict] = {}

    async def complete(self, request: Request) -> Completion:
        told = re.search(r"\(The answer is (.+?)\.\)\nSolve it (in words|by a program)", request.prompt)
        if told is None:
            return Completion("The answer is nothing.", "stop", 4)
        text = f"0 + {told[1]} = {told[1]}. The answer is {told[1]}." if told[2] == "in words" else f"print({told[1]})"
        return Completion(text, "stop", 9)


class InThisProcess:
    """What `Runtime` offers, without a cluster."""

    def __init__(self, config: Config) -> None:
        self._verify, self._loop = Verifier(methods_named(config.methods), config.sandbox), asyncio.Runner()

    def wait(self, work):
        return self._loop.run(work)

    def engine(self, *_: object) -> Student:
        return Student()

    def verifiers(self) -> "InThisProcess":
        return self

    async def verify(self, method: str, completion: Completion) -> Verdict:
        return self._verify.verify([(method, completion)])[0]

    def sandbox_counts(self) -> dict[str, int]:
        return self._verify.counts()

    def close(self) -> None:
        self._verify.close()
        self._loop.close()


@pytest.fixture
def context(tmp_path) -> Iterator:
    made: list[InThisProcess] = []

    def make(*settings: str) -> StageContext:
        config = build_config(with_settings(TREE, settings))
        run, sets = RunDirectory(tmp_path), read_sets(config.problems, config.seed)
        first = run.round(0)
        first.checkpoint.mkdir(parents=True, exist_ok=True)
        (first.checkpoint / "mmst.json").write_text('{"style": "tuned"}')
        with first.stage("train") as commit:
            commit.parts = [first.part(first.checkpoint)]
        with first.stage("promote") as commit:
            commit.figures = {"promoted": True, "checkpoint": "round-000/checkpoints/solver", "round": 0}
        made.append(runtime := InThisProcess(config))
        report = Reporter(Console(file=io.StringIO()))
        return StageContext(config, run, sets.by_name(), methods_named(config.methods), runtime, report)

    yield make
    for runtime in made:
        runtime.close()


def rows(round_: RoundDirectory, stage: str) -> list[Solution]:
    return [row for p in round_.part_paths(stage) if p.name.startswith("part-") for row in read_table(p, Solution)]


def test_what_the_teacher_got_wrong_is_asked_again_with_the_answer_and_then_translated(context) -> None:
    made = context()
    round_ = made.run.round(1)
    for stage in (generate, filter_solutions, rationalize, translate):
        stage(made, round_)
    written = rows(round_, "generate")
    assert {row.checkpoint for row in written} == {"views, 60% corrupted"}
    assert len(written) == 80
    kept = list(read_kept(round_, "filter"))
    assert 10 < len(kept) < 60
    figures, unsolved = round_.figures("rationalize"), 40 - len({row.problem_id for row in kept})
    assert unsolved > 3
    assert figures["problems"] == figures["problems_with_kept"] == figures["kept"] == unsolved
    assert figures["reasons"] == {"kept": unsolved, "no_calculation": unsolved}
    assert figures["grows_by"] == pytest.approx(unsolved / len(kept), abs=1e-4)
    assert f"{unsolved} of {unsolved} unsolved problems" in made.report.console.file.getvalue()
    origins = {row.origin_id for row in rows(round_, "translate")}
    assert {row.solution_id for row in read_kept(round_, "rationalize")} <= origins


def test_a_round_in_which_nothing_is_unsolved_asks_nobody(context) -> None:
    made = context("teacher.noise=0")
    round_ = made.run.round(1)
    for stage in (generate, filter_solutions, rationalize):
        stage(made, round_)
    assert round_.figures("rationalize")["problems"] == 0
    assert list(read_kept(round_, "rationalize")) == []


def test_views_that_the_problems_lack_are_named(context) -> None:
    made = context("problems.synthetic.views_everywhere=[cot]")
    with pytest.raises(InputError, match="`program` of method pot"):
        generate(made, made.run.round(1))


def endpoint(server: Server, **more: object) -> str:  # noqa: F811
    return f"teacher={json.dumps({'endpoint': {'url': server.url, 'model': 'm', 'backoff': 0.001, **more}})}"


def test_the_cap_ends_the_stage_and_the_next_attempt_asks_nothing_twice(context, server) -> None:  # noqa: F811
    server.answer = lambda number, body: fault(500) if number % 4 == 0 else said("The answer is 7.")
    capped = context(endpoint(server, max_calls=30))
    round_ = capped.run.round(1)
    with pytest.raises(InputError, match=r"30 calls are made \(max_calls: 30\)"):
        generate(capped, round_)
    assert not round_.done("generate")
    generate(context(endpoint(server)), round_)
    assert Counter(row.status for row in rows(round_, "generate") if row.method == "cot") == {"ok": 40}
    figures = round_.figures("generate")["teacher"]
    assert figures["calls"] == len(server.bodies) == 80 + figures["errors"]["500"]
    # What waited for another try when the cap was reached is asked anew.
    assert 10 < figures["errors"]["500"] - 8 <= figures["retries"] <= figures["errors"]["500"]
    answered = [json.dumps(body, sort_keys=True) for n, body in enumerate(server.bodies, 1) if n % 4]
    assert len(answered) == len(set(answered)) == 80
    assert {row.checkpoint for row in rows(round_, "generate")} == {f"m at {server.url}"}


def test_a_request_without_an_answer_has_a_status_of_its_own_in_the_figures(context, server) -> None:  # noqa: F811
    server.answer = lambda number, body: fault(400) if number <= 5 else said("print(7)")
    made = context(endpoint(server, concurrency=1, max_failed=0.5))
    generate(made, made.run.round(1))
    statuses = made.run.round(1).figures("generate")["statuses"]
    assert statuses["cot"].get("no_reply", 0) + statuses["pot"].get("no_reply", 0) == 5


def test_an_endpoint_that_fails_too_often_ends_the_stage_with_one_clear_error(context, server) -> None:  # noqa: F811
    server.answer = lambda number, body: fault(503, "out of order")
    made = context(endpoint(server, retries=1))
    with pytest.raises(InputError, match=r"3 of 3 requests .* failed .* 503 \(out of order\)"):
        generate(made, made.run.round(1))
