"""What a machine has, and what would not work on it: `mmst doctor`."""

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
    """Every check with what it found, one by one. A check that breaks is a failure itself."""
    for name, check in CHECKS.items():
        try:
            yield name, check()
        except Exception as error:  # whatever is wrong with this machine, the other checks shall still be told
            yield name, Finding("fail", f"could not be looked at ({type(error).__name__}: {error})")
