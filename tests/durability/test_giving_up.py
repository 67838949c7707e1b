"""Work that fails on every attempt ends the run with one message that names it; finished work is kept."""

import sys

import fake_run as fakes
import pytest
from fake_run import content, fake_run

from mmst.cli import main
from mmst.engine import EngineError
from mmst.errors import GaveUp
from mmst.problems.read import read_problems


def test_a_problem_that_takes_every_engine_with_it_is_named(finished, tmp_path, monkeypatch) -> None:
    config, undisturbed = finished
    with monkeypatch.context() as patched:
        complete = fakes.FakeEngine.complete
        poison = "train-7"
        question = next(p.question for p in read_problems(config.problems.train) if p.id == poison)

        async def dies(self, request):
            if request.prompt.startswith(question):
                raise EngineError("request with seed 1 failed 4 times: its replica ended early")
            return await complete(self, request)

        patched.setattr(fakes.FakeEngine, "complete", dies)
        with pytest.raises(GaveUp, match=rf"problem {poison}, cot, sample \d: request with seed 1 failed 4 times"):
            fake_run(config, tmp_path / "run")
    fake_run(config, tmp_path / "run")
    assert content(tmp_path / "run") == content(undisturbed)


def test_the_command_line_says_it_without_a_stack_trace(monkeypatch, capsys) -> None:
    def give_up(*_: object) -> None:
        raise GaveUp("training failed 4 times; the last time: no space left")

    monkeypatch.setattr("mmst.runs.status.run_at", give_up)
    monkeypatch.setattr(sys, "argv", ["mmst", "status", "runs/x"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "mmst: training failed 4 times; the last time: no space left\n"
