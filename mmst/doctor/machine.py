"""Checks of the hardware and the kernel: CPU, memory, GPUs, disk, shared memory, sandbox."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from mmst.doctor.finding import Finding

_GIB = 2**30


def cpu(info: str | None = None, machine: str | None = None) -> Finding:
    """Whether the CPU builds of vLLM and torch run here. `info` is the text of /proc/cpuinfo."""
    machine = machine or platform.machine()
    info = Path("/proc/cpuinfo").read_text() if info is None else info
    flags = {flag for line in info.splitlines() if line.startswith(("flags", "Features")) for flag in line.split()[2:]}
    fast = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_tile", "asimd", "bf16") if flag in flags]
    vectors = ", ".join(fast) or "no usable vector instructions"
    found = f"{len(os.sched_getaffinity(0))} cores, {machine}, {vectors}"
    if machine == "x86_64" and "avx2" not in flags:
        return Finding("fail", found, "vLLM on CPU needs AVX2: use another machine or a GPU")
    if machine == "x86_64" and "avx512f" not in flags:
        return Finding("warn", found, "works, but vLLM on CPU is slower without AVX-512")
    return Finding("ok", found)


def memory(available: int | None = None, total: int | None = None) -> Finding:
    """Free memory in bytes, within the limit of the container."""
    if available is None or total is None:
        rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        kib = {row[0].rstrip(":"): int(row[1]) for row in rows}
        total, available = kib["MemTotal"] * 1024, kib["MemAvailable"] * 1024
        limit, used = (_number(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
        if limit is not None and limit < total:
            total, available = limit, min(available, limit - (used or 0))
    found = f"{available / _GIB:.1f} of {total / _GIB:.1f} GiB free"
    if available < 3 * _GIB:
        return Finding("warn", found, "configs/tiny.yaml needs 3 GiB: end other programs or use a larger machine")
    return Finding("ok", found)


def _number(path: Path) -> int | None:
    text = path.read_text().strip() if path.is_file() else ""
    return int(text) if text.isdigit() else None


def gpu_lines() -> list[str]:
    """One line per GPU from nvidia-smi: name, memory, driver version."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    result = subprocess.run(query, capture_output=True, text=True, timeout=30)
    return [line.strip() for line in result.stdout.splitlines() if line.strip()] if result.returncode == 0 else []


def gpus() -> Finding:
    """The GPUs, and whether the installed engine can use them."""
    lines = gpu_lines()
    if not lines and shutil.which("nvidia-smi"):
        return Finding("warn", "nvidia-smi shows no GPU", "run nvidia-smi and check the driver")
    if not lines:
        return Finding("ok", "none; the engine runs on CPU")
    if not any(distribution.name == "vllm" for distribution in importlib.metadata.distributions()):
        return Finding("warn", f"{'; '.join(lines)}; the CUDA build of vLLM is missing", "pip install 'mmst[gpu]'")
    return Finding("ok", "; ".join(lines))


def disk(places: dict[str, tuple[int, int]] | None = None) -> Finding:
    """Free disk space for runs and for Ray: `places` holds (free, total) bytes by path."""
    if places is None:
        usage = {str(place): shutil.disk_usage(place) for place in (Path.cwd(), Path(tempfile.gettempdir()))}
        places = {place: (each.free, each.total) for place, each in usage.items()}
    found = ", ".join(f"{free / _GIB:.0f} of {total / _GIB:.0f} GiB free in {p}" for p, (free, total) in places.items())
    least, share = min(free for free, _ in places.values()), min(free / total for free, total in places.values())
    if least < _GIB:
        return Finding("fail", found, "free some space: checkpoints with optimizer states need more")
    if least < 10 * _GIB or share < 0.05:
        return Finding("warn", found, "free some space: every round keeps a checkpoint, and Ray stops at 95 % usage")
    return Finding("ok", found)


def shared_memory(size: int | None = None) -> Finding:
    """Size of `/dev/shm` in bytes; Ray stores objects there and train workers exchange gradients."""
    size = shutil.disk_usage("/dev/shm").total if size is None else size
    found = f"{size / _GIB:.1f} GiB in /dev/shm"
    return Finding("ok", found) if size >= 2**28 else Finding("warn", found, "in Docker: use --shm-size=4g")


def sandbox() -> Finding:
    """How well the sandbox isolates programs that a model wrote, according to its self-test."""
    from mmst.verify.programs import Sandbox

    with Sandbox(allow_weak=True) as tried:
        protection = tried.protection
    if protection.whole:
        return Finding("ok", protection.describe())
    do = "use a Linux kernel with Landlock (5.13) or seccomp; set sandbox.allow_weak=true only on disposable machines"
    return Finding("fail", protection.describe(), do)
