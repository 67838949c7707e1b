"""A full disk is predicted, ends a run with a clear message and loses nothing; retention makes space."""

import shutil
import subprocess
from types import SimpleNamespace

import pytest
from fake_run import content, fake_config, fake_run

from mmst.cli import app
from mmst.errors import InputError
from mmst.runs import space
from mmst.runs.audit import verify_run
from mmst.runs.directory import RunDirectory
from mmst.runs.retention import remove_checkpoints, superfluous


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    where = tmp_path / "disk"
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(where)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield where
    subprocess.run(["umount", str(where)], check=True)


def test_a_disk_that_fills_up_ends_the_run_clearly_and_it_goes_on_once_there_is_space(
    small_disk, finished, tmp_path, monkeypatch
) -> None:
    config, undisturbed = finished
    monkeypatch.setattr("mmst.loop.check_space", lambda *_: 5000)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 150_000)
    with pytest.raises(
        InputError,
        match=r"No space left on device; \d.* are free, the round needs about 4\.9 KiB\. Make space \(`mmst clean ",
    ):
        fake_run(config, small_disk / "run")
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert fake_run(config, small_disk / "run") == "all 2 rounds are done"
    assert content(small_disk / "run") == content(undisturbed)
    assert verify_run(small_disk / "run")[0] == []


def test_a_round_that_cannot_fit_is_refused_before_it_starts(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match=r"round 0 needs about \d+\.\d MiB, 1000 bytes are free"):
        fake_run(fake_config(tmp_path), tmp_path / "run")


def test_the_need_of_a_round_is_measured_on_the_one_before_and_shrinks_as_it_goes_on(run, finished) -> None:
    config = finished[0]
    last, need = run.round(2), space.round_bytes(run, config, 12, 3)
    texts = space.bytes_under(last.solutions) + space.bytes_under(last.decisions) + space.bytes_under(last.pool)
    assert need >= texts + 2 * space.bytes_under(last.checkpoint)
    shutil.copytree(last.solutions, run.round(3).solutions)
    assert space.round_bytes(run, config, 12, 3) == need - space.bytes_under(last.solutions)


def test_a_run_that_can_only_be_read_is_looked_at_and_what_would_change_it_says_so(small_disk, finished) -> None:
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    root = str(shutil.copytree(finished[1], small_disk / "run"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for words in (["status"], ["show", "train-3"], ["verify-run"], ["clean", "--keep", "1", "--dry-run"]):
        app([words[0], root, *words[1:]], standalone_mode=False)
    for words in (["clean", "--keep", "1"], ["report"]):
        with pytest.raises(InputError, match=r"cannot be written \(Read-only file system\)"):
            app([words[0], root, *words[1:]], standalone_mode=False)
    with pytest.raises(InputError, match=r"cannot be written \(Read-only file system\)"):
        fake_run(fake_config(finished[1].parent, "rounds.max=3"), small_disk / "run")


def scored(run, number: int, accuracy: float, holds: int) -> None:
    """A finished round with this accuracy on dev, after which the loop holds the checkpoint of round `holds`."""
    round_ = run.round(number)
    round_.checkpoint.mkdir(parents=True)
    (round_.checkpoint / "model.safetensors").write_bytes(b"x" * 100)
    with round_.stage("train") as commit:
        commit.parts = [round_.part(round_.checkpoint)]
    with round_.stage("evaluate") as commit:
        commit.figures = {"dev": {"accuracy": {"cot": accuracy, "pot": accuracy, "vote": 1.0}}}
    with round_.stage("promote") as commit:
        name = f"round-{holds:03d}/checkpoints/solver"
        commit.figures = {"promoted": holds == number, "checkpoint": name, "round": holds}


def test_the_best_the_held_the_first_and_the_newest_checkpoints_stay(tmp_path) -> None:
    run = RunDirectory(tmp_path)
    for number, (accuracy, holds) in enumerate([(0.1, 0), (0.5, 1), (0.9, 1), (0.6, 3), (0.2, 3), (0.3, 3)]):
        scored(run, number, accuracy, holds)
    run.round(6).checkpoint.mkdir(parents=True)  # of a round that goes on
    gone = superfluous(run, keep=1)
    assert [path.parent.parent.name for path in gone] == ["round-001", "round-004"]
    assert remove_checkpoints(run, gone) == 200
    assert not run.round(4).checkpoint.exists()
    run.round(4).intact("train")  # it is known to be gone
    assert superfluous(run, keep=1) == []


def test_a_cleaned_run_goes_on_and_is_whole(run, finished, capsys) -> None:
    assert app(["clean", str(run.root), "--keep", "1", "--dry-run"], standalone_mode=False) is None
    assert "round-000/checkpoints/initial" in capsys.readouterr().out
    assert (run.round(0).root / "checkpoints" / "initial").is_dir()
    assert app(["clean", str(run.root), "--keep", "1"], standalone_mode=False) is None
    assert not (run.round(0).root / "checkpoints" / "initial").exists()
    config = fake_config(finished[1].parent, "rounds.max=4", "rounds.keep=1")
    assert fake_run(config, run.root) == "all 4 rounds are done"
    assert verify_run(run.root)[0] == []


def test_links_and_directories_of_others_are_never_removed(tmp_path) -> None:
    run = RunDirectory(tmp_path / "run")
    for number, accuracy in enumerate([0.1, 0.2, 0.3]):
        scored(run, number, accuracy, number)
    (run.round(1).checkpoint.parent / "mine").mkdir()
    run.round(1).checkpoint.parent.rename(tmp_path / "elsewhere")
    (run.round(1).root / "checkpoints").symlink_to(tmp_path / "elsewhere")
    assert superfluous(run, keep=1) == []
    (run.round(1).root / "checkpoints").unlink()
    (tmp_path / "elsewhere").rename(run.round(1).root / "checkpoints")
    assert superfluous(run, keep=1) == [run.round(1).checkpoint]
