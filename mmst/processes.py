"""What the kernel tells about a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class ProcessStat(NamedTuple):
    """A process as /proc shows it; see proc_pid_stat(5)."""

    state: str
    """One letter: R runs, S sleeps, Z is dead but not yet waited for."""
    cpu_seconds: float
    """User and system time, all threads together."""
    children_cpu_seconds: float
    """The same for the children that it has waited for."""
    started: int
    """Start time in clock ticks since boot."""


def process_stat(pid: int) -> ProcessStat | None:
    """The state of a process; None if there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    user, system, children_user, children_system = map(int, fields[11:15])
    children = (children_user + children_system) / _TICKS
    return ProcessStat(fields[0], (user + system) / _TICKS, children, int(fields[19]))
