"""`mmst doctor`: what this machine has, and what would not work on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mmst.doctor import cluster, machine, software
from mmst.doctor.finding import Finding

CHECKS: dict[str, Callable[[], Finding]] = {
    "Python": software.python,
    "packages": software.packages,
    "compiler": software.compiler,
    "CPU": machine.cpu,
    "memory": machine.memory,
    "GPUs": machine.gpus,
    "disk": machine.disk,
    "shared memory": machine.shared_memory,
    "sandbox": machine.sandbox,
    "Ray": cluster.ray,
    "Ray token": cluster.token,
    "hub": cluster.hub,
}


def examine() -> Iterator[tuple[str, Finding]]:
    """Run every check and yield its name and finding. A check that raises is a failure."""
    for name, check in CHECKS.items():
        try:
            yield name, check()
        except Exception as error:  # one broken check must not hide the others
            yield name, Finding("fail", f"the check failed ({type(error).__name__}: {error})")
