"""A run of another format is refused, in one line that says why, wherever a run is opened or read."""

import json

import pytest
from small_run import small_run

from mmst.cli import app
from mmst.config.file import build_config
from mmst.dashboard.run import look
from mmst.errors import InputError
from mmst.runs.audit import verify_run
from mmst.runs.directory import FORMAT, RunDirectory
from mmst.runs.opening import check_resumable, fork, opened

OLDER = rf"run: was written by an older mmst \(run format 1; this version reads {FORMAT}\); rerun it, or use mmst 0.1"


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    return small_run(tmp_path / "run")


def with_format(run: RunDirectory, version: int | None) -> None:
    made = json.loads((run.root / "run.json").read_text())
    made["format"] = version
    if version is None:
        del made["format"]
    (run.root / "run.json").write_text(json.dumps(made))


def test_every_command_refuses_a_run_without_a_format(run, tmp_path) -> None:
    with_format(run, None)
    for words in (["status"], ["show", "a"], ["report"], ["verify-run"], ["clean", "--keep", "1"]):
        with pytest.raises(InputError, match=OLDER) as caught:
            app([words[0], str(run.root), *words[1:]], standalone_mode=False)
        assert "\n" not in str(caught.value)
    assert "run format 1" in str(look("run", run.root).trouble)


def test_a_run_without_a_format_is_neither_resumed_nor_forked_nor_verified(run, tmp_path) -> None:
    config = build_config({"name": "small", "problems": {"train": "given.jsonl"}, "rounds": {"max": 1}})
    assert check_resumable(run.root, config)
    with_format(run, None)
    with pytest.raises(InputError, match=OLDER):
        check_resumable(run.root, config)
    with pytest.raises(InputError, match=OLDER), opened(run.root, config):
        pass
    with pytest.raises(InputError, match=OLDER):
        fork(run.root, tmp_path / "new", config, 1)
    with pytest.raises(InputError, match=OLDER):
        verify_run(run.root)


def test_a_newer_format_asks_for_an_update(run) -> None:
    with_format(run, FORMAT + 1)
    with pytest.raises(InputError, match=rf"a newer mmst \(run format {FORMAT + 1}; .*\); update mmst"):
        run.check_format()


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_damaged_run_json_is_named(run, text) -> None:
    (run.root / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"run\.json: cannot be read"):
        run.check_format()


def test_a_lost_run_json_is_named_once_there_are_rounds(run, tmp_path) -> None:
    (run.root / "run.json").unlink()
    with pytest.raises(InputError, match=r"run\.json: is missing"):
        run.check_format()
    RunDirectory(tmp_path).check_format()


def test_a_fork_has_a_format_before_its_first_start(run, tmp_path) -> None:
    config = build_config({"name": "small", "problems": {"train": "given.jsonl"}, "rounds": {"max": 2}})
    fork(run.root, tmp_path / "new", config, 1)
    with opened(tmp_path / "new", config) as forked:
        assert json.loads((forked.root / "run.json").read_text())["started"]
