"""While a run goes on, its figures are on the metrics endpoint of the Ray node."""

import json
import re
import shutil
import socket
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from rich.console import Console
from test_loop import MICRO

from mmst.config.file import build_config
from mmst.loop import self_train
from mmst.progress import Reporter

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
GRAFANA = Path(__file__).parents[2] / "dashboard" / "grafana" / "mmst.json"


@pytest.fixture
def endpoint():
    """A Ray of this process, and where its node shows its metrics."""
    import ray

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    temporary = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # socket paths must stay short
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=str(temporary),
        _metrics_export_port=port, _system_config={"metrics_report_interval_ms": 500},
    )  # fmt: skip
    yield f"http://127.0.0.1:{port}/metrics"
    ray.shutdown()
    shutil.rmtree(temporary, ignore_errors=True)


def test_a_run_shows_every_metric_of_the_grafana_file_while_it_goes_on(endpoint, tmp_path) -> None:
    import ray

    seen: set[str] = set()
    actors: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            try:
                with urllib.request.urlopen(endpoint, timeout=5) as page:
                    seen.update(line for line in page.read().decode().splitlines() if line.startswith("ray_mmst_"))
            except OSError:
                pass  # the node's agent is not up yet
            actors.update(str(actor["name"]) for actor in ray.util.list_named_actors(all_namespaces=True))
            time.sleep(0.2)

    looking = threading.Thread(target=look)
    looking.start()
    names: list[str] = []
    try:
        config = build_config({**MICRO, "tracking": ["tensorboard"]})
        with (tmp_path / "log").open("w") as log:
            self_train(config, tmp_path / "run", Reporter(Console(file=log)))
        named = set(re.findall(r"ray_mmst_\w+", GRAFANA.read_text()))
        deadline = time.monotonic() + 30  # the last figures are reported twice a second
        while time.monotonic() < deadline and not named <= set(names):
            names = [line.split("{")[0] for line in list(seen)]
            time.sleep(0.2)
    finally:
        ended.set()
        looking.join()
    assert set(names) == named
    assert any(name.startswith("SERVE_REPLICA::mmst-micro#engine#") for name in actors), actors
    assert any(name.startswith("mmst-micro-judge-0-") for name in actors), actors
    accuracy = [line for line in seen if line.startswith("ray_mmst_accuracy") and 'round="1"' in line]
    assert any('method="pot"' in line and 'run="run"' in line and 'set="test"' in line for line in accuracy)
    figures = json.loads((tmp_path / "run" / "rounds.jsonl").read_text().splitlines()[-1])["accuracy"]
    shown = {line.rsplit(" ", 1)[1] for line in accuracy if 'method="vote"' in line and 'set="test"' in line}
    assert [float(value) for value in shown] == [pytest.approx(figures["vote"])]
    assert list((tmp_path / "run" / "tracking" / "tensorboard").glob("events.*"))
    plain = (tmp_path / "log").read_text()
    assert "\x1b" not in plain
    assert "round 1: generate" in plain.splitlines()
