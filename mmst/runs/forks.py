"""`fork.json`: which run the first rounds of a forked run come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmst.config import Config
from mmst.config.file import build_config
from mmst.foreign import read_json
from mmst.runs.manifests import ForkPart, Forks

FORK = "fork.json"


def forks(root: Path) -> list[dict[str, Any]]:
    """The origins of a run's first rounds: `from` which run, `through` which round, and the `config` of that run."""
    try:
        parts: list[ForkPart] = read_json(root / FORK, Forks).root
    except FileNotFoundError:
        return []
    return [part.model_dump(by_alias=True) for part in parts]


def asked_before_fork(root: Path, number: int) -> Config | None:
    """The configuration of a round that comes from another run; None if the round is the run's own."""
    part = next((part for part in forks(root) if part["through"] >= number), None)
    return build_config(part["config"], str(root / FORK)) if part else None
