"""The command line inside this process: what it prints, and how it ends."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from small_run import small_run

from mmst.cli import main
from mmst.runs.directory import RunDirectory


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def mmst(monkeypatch, capsys) -> Callable[..., Ended]:
    """Run a command line to its end."""

    def run(*words: object) -> Ended:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["mmst", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
            sys.exit(0)
        return Ended(int(end.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A small finished run."""
    return small_run(tmp_path / "runs" / "small")
