"""status, list and show say what stands in a run directory, whatever stands there."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mmst.cli.inspect import _line
from mmst.runs.lock import held

ESCAPE = "\x1b"


def test_a_pipe_gets_tables_whole_and_without_colour(mmst, run, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    result = mmst("status", run.root)
    assert "small: finished" in result.out
    assert "100.0 34-100" in result.out
    assert ESCAPE not in result.out


def test_watching_says_each_stage_as_a_line_until_the_run_ends(run, tmp_path) -> None:
    """The run is held by this process, loses its last stage, gets it back, and is let go."""
    manifest = run.round(1).root / "stages" / "promote.json"
    aside = manifest.rename(tmp_path / "promote.json")
    command = [sys.executable, "-u", "-c", "from mmst.cli import main; main()", "status", str(run.root), "--watch"]
    with held(run.root), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert "running, round 1: evaluate done" in watching.stdout.readline()
        shutil.copy(aside, manifest)
        rest = watching.stdout.read()
    assert watching.returncode == 0
    assert "finished, round 1: promote done" in rest
    assert "100.0 34-100" in rest
    assert ESCAPE not in rest


def test_a_stage_that_goes_on_is_told_with_its_pace(mmst, run) -> None:
    state = {"round": 1, "stage": "train", "unit": "steps", "done": 50, "total": 1000, "per_second": 10.0}
    (run.root / "progress.json").write_text(json.dumps(state))
    assert json.loads(mmst("status", run.root, "--json").out)["progress"] is None
    assert _line({"run": "small", "state": "running", "rounds": [], "progress": state}) == (
        "small: running, round 1: train, 50 of 1,000 steps, 10 steps/s, 2 min left in this stage"
    )


def test_ctrl_c_ends_watching_without_a_word(run) -> None:
    (run.round(1).root / "stages" / "promote.json").unlink()
    command = [sys.executable, "-u", "-c", "from mmst.cli import main; main()", "status", str(run.root), "--watch"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with held(run.root), subprocess.Popen(command, text=True, **pipes) as watching:
        assert "running" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        err = watching.communicate(timeout=60)[1]
    assert watching.returncode == 130
    assert "Traceback" not in err
    assert err.strip() in ("", "Aborted!")


def test_runs_are_listed_with_those_of_experiments_and_those_that_cannot_be_read(mmst, run) -> None:
    runs = run.root.parent
    shutil.copytree(run.root, runs / "experiment" / "seed-0" / "arm")
    broken = shutil.copytree(run.root, runs / "broken")
    (broken / "config.yaml").write_text("name: broken\n")
    rows = {Path(row["path"]).name: row for row in json.loads(mmst("list", runs, "--json").out)}
    assert set(rows) == {"small", "arm", "broken"}
    assert rows["arm"]["state"] == "finished"
    assert rows["broken"]["state"].startswith("unreadable")
    assert "cot 100.0, pot 100.0, vote 100.0" in mmst("list", runs).out


def test_every_solution_is_shown_with_verdict_label_and_decision(mmst, run) -> None:
    shown = mmst("show", run.root, "a").out
    assert "a (train): 3 + 4?" in shown
    assert "solve-1/a/cot/0: ok, answer 7; label 7 (gold); kept" in shown
    assert "computed: both = 7" in shown
    assert "timeout; label 2 (gold); dropped" in mmst("show", run.root, "b").out
    rows = json.loads(mmst("show", run.root, "d3", "--json").out)["solutions"]
    assert [(row["round"], row["method"], row["written"]) for row in rows] == [
        (0, "cot", "evaluated"), (0, "pot", "evaluated"), (1, "cot", "evaluated"), (1, "pot", "evaluated"),
    ]  # fmt: skip


def test_model_text_is_shown_and_not_obeyed_and_a_long_line_is_cut(mmst, run) -> None:
    shown = mmst("show", run.root, "b").out
    assert "<script>alert(1)</script>\\x1b[31mred\\x1b[0m \\x9b2J \\u202egnihtemos" in shown
    assert not {ESCAPE, "\x9b", "\u202e"} & set(shown)
    assert "999,600 characters more" in shown
    assert len(shown) < 5_000
    assert len(mmst("show", run.root, "b", "--full").out) > 1_000_000


def test_an_unknown_problem_is_a_message_that_names_some(mmst, run) -> None:
    result = mmst("show", run.root, "zz")
    assert result.code == 2
    assert "has no problem `zz`; there are `d1`, `d2`, `d3`, …" in result.err


def damaged(run, what: str, tmp_path: Path) -> Path:
    """A directory that is not a run of this version, in one of the ways there are."""
    root, manifest = run.root, run.round(1).root / "stages" / "evaluate.json"
    if what == "empty":
        (root := tmp_path / "empty").mkdir()
    elif what == "no run":
        ((root := tmp_path / "none") / "deeper").mkdir(parents=True)
    elif what == "absent":
        root = tmp_path / "absent"
    elif what == "a file":
        (root := tmp_path / "file").write_text("")
    elif what == "above runs":
        root = run.root.parent
    elif what == "half a configuration":
        (root / "config.yaml").write_text((root / "config.yaml").read_text()[:20])
    elif what == "not a configuration":
        (root / "config.yaml").write_bytes(b"\xff\xfe\x00")
    elif what == "half a manifest":
        manifest.write_text(manifest.read_text()[:100])
    elif what == "an older manifest":
        manifest.write_text(json.dumps({"stage": "evaluate", "round": 1, "figures": {"test": 0.5}}))
    return root


@pytest.mark.parametrize(
    ("what", "part"),
    [
        ("empty", "it is empty"),
        ("no run", "it has no config.yaml"),
        ("absent", "does not exist"),
        ("a file", "it is a file"),
        ("above runs", "but holds some"),
        ("half a configuration", "config.yaml: cannot be read (`rounds`: Field required"),
        ("not a configuration", "config.yaml: cannot be read"),
        ("half a manifest", "evaluate.json: cannot be read"),
        ("an older manifest", "evaluate.json: cannot be read (`seconds`: Field required"),
    ],
)
def test_a_directory_that_is_no_run_of_this_version_is_one_message(mmst, run, tmp_path, what, part) -> None:
    result = mmst("status", damaged(run, what, tmp_path))
    assert (result.code, result.out) == (2, "")
    assert part in result.err
    assert len(result.err.splitlines()) == 1


def test_a_table_that_cannot_be_read_is_a_message(mmst, run) -> None:
    (run.round(1).solutions / "part-00000.parquet").write_bytes(b"PAR1")
    result = mmst("show", run.root, "a")
    assert result.code == 2
    assert "part-00000.parquet: cannot be read" in result.err


def test_a_status_writes_nothing(mmst, run) -> None:
    (run.root / "config.yaml").write_text(yaml.safe_dump(yaml.safe_load((run.root / "config.yaml").read_text())))
    before = sorted((path, path.stat().st_mtime_ns) for path in run.root.rglob("*"))
    mmst("status", run.root)
    mmst("show", run.root, "a")
    assert sorted((path, path.stat().st_mtime_ns) for path in run.root.rglob("*")) == before
