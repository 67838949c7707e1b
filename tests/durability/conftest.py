"""A finished run with a fake model and trainer, made once."""

import shutil

import pytest
from fake_run import fake_config, fake_run

from mmst.runs.directory import RunDirectory


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Its configuration and directory; tests must not change it."""
    directory = tmp_path_factory.mktemp("finished")
    config = fake_config(directory)
    fake_run(config, directory / "run")
    return config, directory / "run"


@pytest.fixture
def run(finished, tmp_path) -> RunDirectory:
    """A copy that tests may damage."""
    shutil.copytree(finished[1], tmp_path / "run")
    return RunDirectory(tmp_path / "run")
