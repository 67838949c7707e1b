"""What never fits a machine is refused before anything waits for it."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from mmst import waiting
from mmst.config.file import build_config
from mmst.errors import InputError
from mmst.progress import Reporter
from mmst.stages.runtime import Runtime, bundles, check_resources
from mmst.stages.session import ray_session
from mmst.waiting import telling_of_shortage, wait_for_resources


def config(placement: str):
    return build_config(
        {
            "problems": {"synthetic": {}},
            "cluster": {"placement": placement, "train_workers": 2, "train_cpus": 1},
            "engine": {"cpus": 1},
        }
    )


def test_engine_and_trainer_side_by_side_need_the_sum() -> None:
    with pytest.raises(InputError, match=r"needs 3 CPU .* has 2"):
        check_resources(config("split"), {"CPU": 2.0})
    check_resources(config("split"), {"CPU": 3.0})


def test_engine_and_trainer_in_turn_need_the_larger() -> None:
    check_resources(config("shared"), {"CPU": 2.0})


def test_two_models_need_two_engines() -> None:
    tree = {"problems": {"synthetic": {}}, "methods": ["socratic"], "socratic": {"models": "two"}}
    with pytest.raises(InputError, match=r"needs 3 CPU .* has 2"):
        check_resources(build_config(tree), {"CPU": 2.0})
    check_resources(build_config({**tree, "engine": {"cpus": 0.5}}), {"CPU": 2.0})


def test_waiting_for_a_cluster_speaks_and_ends_when_it_has_grown(monkeypatch) -> None:
    monkeypatch.setattr(waiting, "SAY_EVERY", 0.05)
    nodes, said = iter(range(40)), []
    wait_for_resources({"CPU": 30.0, "GPU": 0.0}, lambda: {"CPU": float(next(nodes))}, None, said.append)
    assert said[0] == "waiting for resources since 0 s: 30 CPU requested, the cluster has nothing"
    assert len(said) > 2
    assert next(nodes) == 31


def test_a_wait_that_takes_too_long_ends_with_what_was_missing() -> None:
    with pytest.raises(InputError, match=r"2 CPU, 4 GPU requested, the cluster has 8 CPU, for \d s now \(cluster.reso"):
        wait_for_resources({"CPU": 2.0, "GPU": 4.0}, lambda: {"CPU": 8.0}, 0.0, lambda line: None)


def test_a_cluster_that_loses_what_a_run_needs_is_spoken_of_until_it_is_back(monkeypatch) -> None:
    monkeypatch.setattr(waiting, "SAY_EVERY", 0.02)
    said, there, looks = [], {"GPU": 4.0}, []

    def look() -> dict[str, float]:
        looks.append(there)
        if there["GPU"] == 0.0:
            raise ConnectionError("the head restarts")
        return there

    def wait_for_looks(count: int) -> None:
        until = len(looks) + count
        while len(looks) < until:
            time.sleep(0.01)

    with telling_of_shortage({"CPU": 0.0, "GPU": 4.0}, look, said.append):
        wait_for_looks(3)
        assert said == []
        there["GPU"] = 0.0
        wait_for_looks(3)
        assert said == []
        there["GPU"] = 3.0
        wait_for_looks(3)
        assert said[0] == "resources are missing since 0 s: 4 GPU requested, the cluster has 3 GPU"
        there["GPU"] = 4.0
        wait_for_looks(3)
        told = len(said)
        wait_for_looks(3)
        assert len(said) == told


def test_runs_of_one_name_have_engines_of_their_own_and_a_run_always_the_same(tmp_path) -> None:
    report = Reporter()
    names = [Runtime(config("split"), [], report, owner).name for owner in (tmp_path / "a", tmp_path / "b", None, None)]
    assert len(set(names)) == 4
    assert Runtime(config("split"), [], report, tmp_path / "a").name == names[0]


def test_an_autoscaler_is_told_of_every_process() -> None:
    assert bundles(config("split")) == [{"CPU": 1.0}] * 3


def test_an_autoscaler_is_told_once_of_devices_that_engine_and_trainer_share() -> None:
    assert bundles(config("shared")) == [{"CPU": 1.0}] * 2


def test_an_autoscaler_is_told_of_a_teacher_that_needs_more_than_the_model() -> None:
    tree = {"problems": {"synthetic": {}}, "teacher": {"path": "big", "engine": {"gpus": 8, "tensor_parallel": 8}}}
    assert bundles(build_config(tree)) == [{"CPU": 1.0, "GPU": 8.0}, {"CPU": 1.0}]


@pytest.mark.e2e
def test_a_private_ray_listens_on_loopback_alone_and_its_workers_are_not_nice() -> None:
    import psutil
    import ray

    handler = signal.getsignal(signal.SIGTERM)
    with ray_session(None) as private:
        assert private
        assert signal.getsignal(signal.SIGTERM) is handler
        assert ray.get(ray.remote(lambda: os.nice(0)).options(num_cpus=0).remote()) == 0
        own = [psutil.Process(), *psutil.Process().children(recursive=True)]
        listening = [c for process in own for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert listening
        assert {connection.laddr.ip.removeprefix("::ffff:") for connection in listening} == {"127.0.0.1"}


@pytest.mark.e2e
@pytest.mark.parametrize("thread", ["main", "other"])
def test_who_waits_on_a_ray_whose_raylet_dies_gets_an_exception_within_seconds(thread: str) -> None:
    """In the library nothing ends the process, and the caller may go on."""
    waiting_driver = textwrap.dedent(
        """
        import asyncio, os, psutil, signal, sys, threading, time
        from mmst.config.file import build_config
        from mmst.progress import Reporter
        from mmst.stages.runtime import Runtime
        from mmst.stages.session import RuntimeFailure

        def run():
            try:
                with Runtime(build_config({"problems": {"synthetic": {}}}), [], Reporter()) as it:
                    it.cluster()
                    raylet = next(c for c in psutil.Process().children(recursive=True) if c.name() == "raylet")
                    began.append(time.monotonic())
                    os.kill(raylet.pid, signal.SIGKILL)
                    it.wait(asyncio.sleep(600))
            except RuntimeFailure as failure:
                print(f"after {time.monotonic() - began[0]:.0f} s: {failure}")

        began = []
        if sys.argv[1] == "main":
            run()
        else:
            (thread := threading.Thread(target=run)).start()
            thread.join()
        print("still here")
        """
    )
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    ended = subprocess.run(
        [sys.executable, "-c", waiting_driver, thread], env=environment, capture_output=True, text=True, timeout=240
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"after \d s: Ray's raylet \(process \d+\) died: .* rerun the same command", ended.stdout)
    assert ended.stdout.endswith("still here\n")
