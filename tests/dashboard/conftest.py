import pytest
from made_run import MadeRun
from starlette.testclient import TestClient

from mmst.dashboard.app import application


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> MadeRun:
    """A finished run of two rounds after round 0, which tests must not change."""
    made = MadeRun(tmp_path_factory.mktemp("runs") / "made")
    for number in range(3):
        made.finish_round(number)
    return made


@pytest.fixture(scope="session")
def client(made) -> TestClient:
    """A client of the dashboard for that run."""
    return TestClient(application([made.run.root], ["testserver"]), raise_server_exceptions=False)
