"""CPU, memory, GPUs, disk, shared memory, and what the kernel offers the sandbox."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from mmst.doctor.finding import Finding

_GIB = 2**30


def cpu(info: str | None = None, machine: str | None = None) -> Finding:
    """Whether vLLM's and torch's CPU builds run here, and on how many cores. `info` is the text of /proc/cpuinfo."""
    machine, info = machine or platform.machine(), Path("/proc/cpuinfo").read_text() if info is None else info
    cores = len(os.sched_getaffinity(0))
    flags = {flag for line in info.splitlines() if line.startswith(("flags", "Features")) for flag in line.split()[2:]}
    fast = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_tile", "asimd", "bf16") if flag in flags]
    found = f"{cores} cores, {machine}, {', '.join(fast) or 'no vector instructions that count'}"
    if machine == "x86_64" and "avx2" not in flags:
        return Finding("fail", found, "vLLM on CPU needs AVX2: another machine, or a GPU")
    if machine == "x86_64" and "avx512f" not in flags:
        return Finding("warn", found, "works; vLLM on CPU is made for AVX-512 and is slower without")
    return Finding("ok", found)


def memory(available: int | None = None, total: int | None = None) -> Finding:
    """Memory that is free, within what the container may take. In bytes."""
    if available is None or total is None:
        rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        kib = {row[0].rstrip(":"): int(row[1]) for row in rows}
        total, available = kib["MemTotal"] * 1024, kib["MemAvailable"] * 1024
        limit, used = (_number(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
        if limit is not None and limit < total:
            total, available = limit, min(available, limit - (used or 0))
    found = f"{available / _GIB:.1f} of {total / _GIB:.1f} GiB free"
    if available < 3 * _GIB:
        return Finding("warn", found, "even configs/tiny.yaml takes 3 GiB: end something, or take a larger machine")
    return Finding("ok", found)


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def gpu_lines() -> list[str]:
    """A line per GPU, as nvidia-smi names them; empty where there are none."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    asked = subprocess.run(query, capture_output=True, text=True, timeout=30)
    return [line.strip() for line in asked.stdout.splitlines() if line.strip()] if asked.returncode == 0 else []


def gpus() -> Finding:
    """GPUs, and whether the installed engine can use them."""
    import importlib.metadata

    lines = gpu_lines()
    if not lines and shutil.which("nvidia-smi"):
        return Finding("warn", "nvidia-smi is there and shows none", "look at the driver: nvidia-smi")
    if not lines:
        return Finding("ok", "none; the engine serves on CPU")
    installed = {distribution.name for distribution in importlib.metadata.distributions()}
    if "vllm" not in installed:
        return Finding("warn", "; ".join(lines) + "; vLLM's CUDA build is not installed", "pip install 'mmst[gpu]'")
    return Finding("ok", "; ".join(lines))


def disk(places: dict[str, tuple[int, int]] | None = None) -> Finding:
    """Room where runs and Ray's files go: `places` has (free, total) bytes by path."""
    if places is None:
        usage = {str(place): shutil.disk_usage(place) for place in (Path.cwd(), Path(tempfile.gettempdir()))}
        places = {place: (each.free, each.total) for place, each in usage.items()}
    found = ", ".join(f"{free / _GIB:.0f} of {total / _GIB:.0f} GiB free in {p}" for p, (free, total) in places.items())
    worst, share = (min(free for free, _ in places.values()), min(free / total for free, total in places.values()))
    if worst < _GIB:
        return Finding("fail", found, "free some: a checkpoint and its optimizer states need more")
    if worst < 10 * _GIB or share < 0.05:
        return Finding("warn", found, "free some: every round keeps a checkpoint, and Ray stops at 95 % full")
    return Finding("ok", found)


def shared_memory(size: int | None = None) -> Finding:
    """`/dev/shm`, where Ray keeps objects and train workers exchange gradients. In bytes."""
    size = shutil.disk_usage("/dev/shm").total if size is None else size
    found = f"{size / _GIB:.1f} GiB in /dev/shm"
    if size < 2**28:
        return Finding("warn", found, "in a container, give it more: docker run --shm-size=4g")
    return Finding("ok", found)


def sandbox() -> Finding:
    """What keeps model-written programs in; the self-test tries what must not work."""
    from mmst.verify.programs import Sandbox

    with Sandbox(allow_weak=True) as tried:
        protection = tried.protection
    if protection.whole:
        return Finding("ok", protection.describe())
    return Finding(
        "fail",
        protection.describe(),
        "a Linux kernel with Landlock (5.13) or seccomp; sandbox.allow_weak=true only on a machine to throw away",
    )
