"""`fork.json`: which run the first rounds of a forked run come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmst.config import Config
from mmst.errors import InputError

FORK = "fork.json"


def forks(root: Path) -> list[dict[str, Any]]:
    """The origins of a run's first rounds: `from` which run, `through` which round, and the `config` of that run."""
    try:
        parts = list(json.loads((root / FORK).read_text()))
        return [{name: part[name] for name in ("from", "through", "config")} for part in parts]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{root / FORK}: cannot be read ({error!r}); restore it") from error


def asked_before_fork(root: Path, number: int) -> Config | None:
    """The configuration of a round that comes from another run; None if the round is the run's own."""
    part = next((part for part in forks(root) if part["through"] >= number), None)
    return Config.model_validate(part["config"]) if part else None
