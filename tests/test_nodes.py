"""A run that loses nodes of its cluster and then its driver has the results of an undisturbed run. The cluster is real:
a head without CPUs and nodes with one CPU each, every one a raylet on this machine."""

import json
import re
from collections.abc import Iterator

import psutil
import pytest
import yaml
from chaos import CONFIG, PROCESSES, Run, rows, verified
from ray.cluster_utils import Cluster

from mmst.runs.live import read_progress

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(1800)]
LONG_TRAINING = CONFIG | {
    "training": {"batch": 32, "schedule": {"steps": 200, "learning_rate": 1e-3}, "checkpoint_every": 10}
}


class Nodes:
    """The nodes of a cluster that can be killed."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.nodes = cluster, []

    def add(self) -> None:
        self.nodes.append(self.cluster.add_node(num_cpus=1, object_store_memory=10**8))

    def kill_that_with(self, victim: str) -> None:
        """Kill the node that has a process of this kind; its processes die with its raylet."""
        for process in psutil.process_iter():
            for node in self.nodes:
                raylet = node.all_processes["raylet"][0].process.pid
                if process.ppid() == raylet and re.search(PROCESSES[victim], " ".join(process.cmdline())):
                    self.nodes.remove(node)
                    return self.cluster.remove_node(node, allow_graceful=False)
        raise AssertionError(f"no node has a {victim}")


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = Nodes(cluster)
    nodes.add()
    nodes.add()
    yield nodes
    cluster.shutdown()


def at_work(run: Run, stage: str, done: int) -> bool:
    now = read_progress(run.root) or {}
    return (now.get("round"), now.get("stage")) == (1, stage) and now.get("done", -1) >= done


def test_a_run_that_loses_nodes_and_its_driver_waits_aloud_and_is_the_same_run(nodes, tmp_path, monkeypatch) -> None:
    config = tmp_path / "nodes.yaml"
    config.write_text(yaml.safe_dump(LONG_TRAINING))
    alone = Run(tmp_path / "alone", config)
    alone.start()
    assert alone.wait() and alone.process.wait() == 0, alone.log.read_text()

    monkeypatch.setenv("RAY_ADDRESS", nodes.cluster.address)
    run = Run(tmp_path / "run", config)
    run.start()
    run.wait(lambda: at_work(run, "generate", 0))
    nodes.kill_that_with("replica")
    run.wait(lambda: "resources are missing since" in run.log.read_text())
    assert "2 CPU requested, the cluster has 1 CPU" in run.log.read_text()
    nodes.add()
    run.wait(lambda: at_work(run, "train", 10))
    nodes.kill_that_with("trainer")
    nodes.add()
    run.wait(lambda: at_work(run, "evaluate", 0))
    run.process.kill()
    run.process.wait()
    run.start()
    assert run.wait() and run.process.wait() == 0, run.log.read_text()

    assert "engine: removing mmst-chaos-" in run.log.read_text()
    assert verified(run.root)
    assert rows(run.root) == rows(alone.root)
    trained = json.loads((run.root / "round-001/stages/train.json").read_text())
    assert trained["figures"]["restarts"] == 1
