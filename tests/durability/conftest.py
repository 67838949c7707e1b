"""A finished run with made-up parts, made once."""

import shutil

import pytest
from fake_run import fake_config, fake_run

from mmst.runs.directory import RunDirectory


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Its configuration and its directory; not to be changed."""
    directory = tmp_path_factory.mktemp("finished")
    config = fake_config(directory)
    fake_run(config, directory / "run")
    return config, directory / "run"


@pytest.fixture
def run(finished, tmp_path) -> RunDirectory:
    """A copy, to be damaged."""
    shutil.copytree(finished[1], tmp_path / "run")
    return RunDirectory(tmp_path / "run")
