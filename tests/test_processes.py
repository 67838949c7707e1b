"""What the kernel tells about a process is read right."""

import os
import subprocess
import time

from mmst.processes import process_stat


def test_this_process_runs_and_uses_cpu_time() -> None:
    stat = process_stat(os.getpid())
    assert stat is not None
    assert stat.state == "R"
    assert abs(stat.cpu_seconds - time.process_time()) < 0.5
    assert stat.started == process_stat(os.getpid()).started > 0  # type: ignore[union-attr]


def test_a_dead_process_is_a_zombie_until_it_is_waited_for_and_then_gone() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    stat = process_stat(child.pid)
    assert stat is not None
    assert stat.state == "Z"
    child.wait()
    assert process_stat(child.pid) is None
