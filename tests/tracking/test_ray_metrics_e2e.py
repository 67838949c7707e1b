"""While a run goes on, its figures are on the metrics endpoint of the Ray node."""

import contextlib
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
from micro import MICRO
from rich.console import Console
from small_run import small_run

from mmst.config.file import build_config
from mmst.loop import self_train
from mmst.progress import Reporter
from mmst.tracking import Figures

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
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


def named_in_grafana() -> set[str]:
    return set(re.findall(r"ray_mmst_\w+", GRAFANA.read_text()))


def test_what_is_handed_out_is_on_the_endpoint_under_the_names_of_the_grafana_file(endpoint, tmp_path) -> None:
    run = small_run(tmp_path / "small")
    said: list[str] = []
    figures = Figures(run, (), said.append)
    state = {
        "round": 1, "stage": "generate", "done": 5, "total": 10, "tokens": 50, "per_second": 2.0,
        "tokens_per_second": 20.0, "resources": {"nodes": 1, "replicas": 1, "in_flight": 3, "waiting": 4},
    }  # fmt: skip
    deadline, shown = time.monotonic() + 120, ""
    while time.monotonic() < deadline and not named_in_grafana() <= set(re.findall(r"^ray_mmst_\w+", shown, re.M)):
        figures.progress(state)
        figures.point(1, "train", {"step": 1, "loss": 0.5, "learning_rate": 0.1})
        for stage in ("generate", "filter", "train", "evaluate", "promote"):
            figures.stage(run.round(1), stage)
        time.sleep(0.5)
        with contextlib.suppress(OSError), urllib.request.urlopen(endpoint, timeout=5) as page:
            shown = page.read().decode()
    assert set(re.findall(r"^ray_mmst_\w+", shown, re.M)) == named_in_grafana()
    assert said == []
    items = next(line for line in shown.splitlines() if line.startswith("ray_mmst_items_total"))
    assert 'run="small"' in items and 'stage="generate"' in items and items.endswith(" 5.0")


@pytest.mark.long
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
        named = named_in_grafana()
        deadline = time.monotonic() + 30  # the last figures are reported twice a second
        while time.monotonic() < deadline and not named <= set(names):
            names = [line.split("{")[0] for line in list(seen)]
            time.sleep(0.2)
    finally:
        ended.set()
        looking.join()
    assert set(names) == named
    assert any(name.startswith("SERVE_REPLICA::mmst-micro-") for name in actors), actors
    assert any(name.startswith("mmst-micro-verifier-0-") for name in actors), actors
    accuracy = [line for line in seen if line.startswith("ray_mmst_accuracy") and 'round="1"' in line]
    assert any('method="pot"' in line and 'run="run"' in line and 'set="test"' in line for line in accuracy)
    figures = json.loads((tmp_path / "run" / "rounds.jsonl").read_text().splitlines()[-1])["accuracy"]
    shown = {line.rsplit(" ", 1)[1] for line in accuracy if 'method="vote"' in line and 'set="test"' in line}
    assert [float(value) for value in shown] == [pytest.approx(figures["vote"])]
    assert list((tmp_path / "run" / "tracking" / "tensorboard").glob("events.*"))
    plain = (tmp_path / "log").read_text()
    assert "\x1b" not in plain
    assert "round 1: generate" in plain.splitlines()
