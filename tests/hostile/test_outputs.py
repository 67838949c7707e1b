"""Whatever an output is, it is written through or refused: nothing is replaced that is no file of ours."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from harness import Commands, ForeignRun, fifo

ROW = b'{"gold": "1", "prediction": "1"}\n'


def test_a_directory_is_refused(mmst: Commands, outside: Path) -> None:
    assert str(outside) in mmst.refused("compare", "--out", outside, stdin=ROW)


def test_a_missing_directory_is_no_mystery(mmst: Commands, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "file" in mmst.refused("compare", "--out", tmp_path / "file" / "out.jsonl", stdin=ROW)


def test_a_device_is_written_through(mmst: Commands, tmp_path: Path) -> None:
    before = Path("/dev/null").stat()
    assert mmst("compare", "--out", "/dev/null", stdin=ROW).code == 0
    after = Path("/dev/null").stat()
    assert stat.S_ISCHR(after.st_mode)
    assert (before.st_ino, before.st_dev) == (after.st_ino, after.st_dev)


def test_a_full_device_is_a_failure(mmst: Commands) -> None:
    assert "No space left" in mmst.refused("compare", "--out", "/dev/full", stdin=ROW, code=1)
    assert "No space left" in mmst.refused("compare", stdin=ROW, stdout="/dev/full", code=1)
    assert "No space left" in mmst.refused("--version", stdout="/dev/full", code=1)


def test_a_pipe_is_written_through(mmst: Commands, tmp_path: Path) -> None:
    pipe, found = fifo(tmp_path / "pipe"), []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()), daemon=True)
    reader.start()
    assert mmst("compare", "--out", pipe, stdin=ROW).code == 0
    reader.join(5)
    assert found
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_is_followed(mmst: Commands, tmp_path: Path) -> None:
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    link.symlink_to(target)
    assert mmst("compare", "--out", link, stdin=ROW).code == 0
    assert link.is_symlink()
    assert target.read_text()


def test_a_link_in_a_circle_is_refused(mmst: Commands, tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(link)
    assert mmst.refused("compare", "--out", link, stdin=ROW)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "\udcff"])
def test_an_impossible_name_is_refused(mmst: Commands, tmp_path: Path, name: str) -> None:
    outcome = mmst("compare", "--out", f"{tmp_path}/{name}", stdin=ROW)
    assert outcome.code in (0, 2)
    assert mmst("compare", "--in", f"{tmp_path}/{name}x").code == 2


def test_a_failure_leaves_the_old_file(mmst: Commands, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    mmst.refused("compare", "--out", out, stdin=ROW + b"{")
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.jsonl", "outside"]


@pytest.mark.parametrize(
    "words", [("compare",), ("--help",), ("config", "schema"), ("config", "explain"), ("--version",)], ids=" ".join
)
def test_a_closed_pipe_ends_the_command_in_silence(mmst: Commands, words: tuple[str, ...]) -> None:
    outcome = mmst(*words, stdin=ROW * 5000, stdout="closed pipe")
    assert outcome.code == 141
    assert outcome.err == ""


@pytest.mark.parametrize("kind", ["directory", "file below a file", "full", "name"])
def test_a_report_that_cannot_be_written_is_one_line(
    mmst: Commands, foreign: ForeignRun, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "file").write_text("x")
    out = {
        "directory": foreign.outside,
        "file below a file": tmp_path / "file" / "r.html",
        "full": Path("/dev/full"),
        "name": tmp_path / ("x" * 300),
    }[kind]
    outcome = mmst("report", foreign.root, "--out", out)
    assert outcome.code in (1, 2), outcome
    assert len(outcome.err.splitlines()) == 1
    assert kind == "name" or not out.is_file()


@pytest.mark.parametrize("out", ["directory", "device"])
def test_a_configuration_is_never_written_over_anything(mmst: Commands, outside: Path, out: str) -> None:
    assert mmst.refused("init", outside if out == "directory" else "/dev/null")
    assert mmst.refused("init", outside / "thesis.txt")


def test_evaluate_refuses_what_is_no_model_before_anything_starts(mmst: Commands, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    for model in ("./nope", "nope/", "~/nope", "../nope", "/nope", ".", "a/b/c", "", "x\x1b[31m"):
        assert mmst.refused("evaluate", model, "--problems", tmp_path / "p.jsonl")
        assert mmst.refused("solve", "1 + 1?", "--model", model)
    for problems in ("./nope.jsonl", "/dev/null", "."):
        model = tmp_path / "model"
        model.mkdir(exist_ok=True)
        (model / "config.json").write_text('{"model_type": "llama"}')
        (model / "tokenizer.json").write_text("{}")
        assert mmst.refused("evaluate", model, "--problems", problems)


def test_evaluate_refuses_an_output_that_cannot_be_written_before_anything_starts(
    mmst: Commands, tmp_path: Path, outside: Path
) -> None:
    (tmp_path / "p.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    words = ["evaluate", tmp_path / "model", "--problems", tmp_path / "p.jsonl", "--out"]
    assert str(outside) in mmst.refused(*words, outside)
