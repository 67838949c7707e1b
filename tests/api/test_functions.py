"""The functions accept configurations in every form, return figures, stay silent when asked to, and leave the process
as it was."""

import asyncio
import dataclasses
import json
import signal

import pytest
import yaml
from small_run import small_run

import mmst
from mmst.api import _session


@pytest.fixture
def run(tmp_path):
    return small_run(tmp_path / "runs" / "small", translate={"enabled": False})


def test_a_configuration_is_a_file_a_mapping_or_a_config(tmp_path) -> None:
    tree = {"problems": {"train": tmp_path / "p.jsonl"}, "rounds": {"max": 5}}
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump({**tree, "problems": {"train": str(tmp_path / "p.jsonl")}}))
    expected = mmst.load_config(tree, {"rounds.max": 2, "seed": 3})
    assert (expected.rounds.max, expected.seed) == (2, 3)
    assert mmst.load_config(file, {"rounds.max": 2, "seed": 3}) == expected
    assert mmst.load_config(mmst.load_config(file), ["rounds.max=2", "seed=3"]) == expected
    assert tree["rounds"]["max"] == 5
    with pytest.raises(mmst.InputError, match=r"did you mean `max`"):
        mmst.load_config(tree, {"rounds.mx": 2})


def test_a_finished_run_is_returned_with_its_figures_and_nothing_starts(run, capsys) -> None:
    result = mmst.self_train(run.root / "config.yaml", run.root, progress=False)
    assert capsys.readouterr() == ("", "")
    assert result.directory == run.root
    assert result.checkpoint == run.round(1).checkpoint
    assert [(r.number, r.promoted, r.accuracy["vote"]) for r in result.rounds] == [(0, True, 0.5), (1, True, 1.0)]
    assert result.accuracy == result.rounds[1].accuracy
    assert result.rounds[1].intervals["cot"][0] < 1.0
    assert "all 1 rounds are done" in result.stopped


def test_a_run_is_checked(run) -> None:
    found = mmst.verify_run(run.root)
    assert found.checked["manifests"] > 5
    (run.round(1).checkpoint / "config.json").write_text("changed")
    (fault,) = set(mmst.verify_run(run.root).faults) - set(found.faults)
    assert fault.path == "round-001/checkpoints/solver"


def test_a_missing_model_is_refused_before_anything_starts() -> None:
    with pytest.raises(mmst.InputError, match="nowhere"):
        mmst.evaluate("./nowhere", [mmst.Problem(id="a", question="1 + 1?", answer="2")], progress=False)
    with pytest.raises(mmst.InputError, match="nowhere"):
        mmst.solve("1 + 1?", "./nowhere", progress=False)


def test_inside_a_running_event_loop_a_function_can_run_a_loop_of_its_own() -> None:
    async def cell() -> tuple[int, bool]:
        with _session(False):
            answer = asyncio.run(asyncio.sleep(0, 42))
        return answer, asyncio.get_running_loop() is not None

    assert asyncio.run(cell()) == (42, True)


def test_an_error_gives_the_event_loop_back() -> None:
    async def cell() -> None:
        with pytest.raises(KeyboardInterrupt), _session(False):
            raise KeyboardInterrupt
        await asyncio.sleep(0)

    asyncio.run(cell())


def test_signal_handlers_stay(run) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    mmst.self_train(run.root / "config.yaml", run.root, progress=False)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_results_are_plain_enough_for_json(run) -> None:
    result = mmst.self_train(run.root / "config.yaml", run.root, progress=False)
    assert json.loads(json.dumps(dataclasses.asdict(result), default=str))["rounds"][1]["number"] == 1


def test_ctrl_c_interrupts_a_function_inside_a_running_event_loop() -> None:
    """Under `asyncio.run`, whose own handler would cancel the waiting coroutine and leave the function running."""

    async def cell() -> str:
        handler = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), _session(False):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == handler
        await asyncio.sleep(0)
        return "still running"

    assert asyncio.run(cell()) == "still running"
