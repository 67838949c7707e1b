"""JSON lines: whole files or none, links followed, devices and pipes written to."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from mmst.errors import InputError
from mmst.jsonl import read_rows, write_rows

ROWS = [{"id": 1, "text": "a\ud800b"}, {"id": 2, "text": "✓"}]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    assert write_rows(tmp_path / "new" / "rows.jsonl", ROWS) == 2
    assert list(read_rows(tmp_path / "new" / "rows.jsonl")) == ROWS
    assert stat.S_IMODE((tmp_path / "new" / "rows.jsonl").stat().st_mode) == 0o644


def test_a_file_whose_writing_failed_stays_as_it_was(tmp_path: Path) -> None:
    def rows():
        yield {"id": 1}
        raise RuntimeError

    (tmp_path / "rows.jsonl").write_text("before")
    with pytest.raises(RuntimeError):
        write_rows(tmp_path / "rows.jsonl", rows())
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    assert write_rows(pipe, ROWS) == 2
    reader.join(10)
    assert [json.loads(line) for line in got[0].splitlines()] == ROWS
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_is_followed_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_rows(tmp_path / "link", ROWS)
    assert (tmp_path / "link").is_symlink()
    assert list(read_rows(tmp_path / "file")) == ROWS


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"/sys/rows.jsonl: cannot be written"):
        write_rows("/sys/rows.jsonl", ROWS)
    with pytest.raises(InputError, match=r"cannot be written \(Is a directory\)"):
        write_rows(tmp_path, ROWS)
    with pytest.raises(InputError, match=r"none.jsonl: cannot be read"):
        list(read_rows(tmp_path / "none.jsonl"))
    (tmp_path / "bad.jsonl").write_text('{"id": 1}\n\n[2]\n')
    with pytest.raises(InputError, match=r"bad.jsonl:3: expected a JSON object, found list"):
        list(read_rows(tmp_path / "bad.jsonl"))
