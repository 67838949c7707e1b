"""Fixtures: commands, a directory that they must not touch, a run from somebody else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from durability.fake_run import fake_config, fake_run
from harness import Commands, ForeignRun, state_of


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    found = Commands(tmp_path_factory.mktemp("commands"))
    yield found
    found.close()


@pytest.fixture
def mmst(commands: Commands, outside: Path) -> Commands:
    """Runs commands; `outside` stays as it is."""
    return commands


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory of the user with files of every kind that mmst writes; it must not change."""
    directory = tmp_path / "outside"
    for name in ("thesis.txt", "solver/model.safetensors", "stages/train.json", "locks/lock-00000001", "1.json"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(f"{name} of the user\n")
    before = state_of(directory)
    yield directory
    assert state_of(directory) == before, "something outside the run was changed"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three rounds."""
    directory = tmp_path_factory.mktemp("finished")
    fake_run(fake_config(directory, "rounds.max=3"), directory / "run")
    return directory / "run"


@pytest.fixture
def foreign(finished: Path, tmp_path: Path, outside: Path) -> ForeignRun:
    shutil.copytree(finished, tmp_path / "run")
    return ForeignRun(tmp_path / "run", outside)
