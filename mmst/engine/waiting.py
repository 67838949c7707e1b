"""Waiting for what a cluster does not have yet, and saying so."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mmst.errors import InputError

SAY_EVERY = 30.0
_GROWS = Path("~/ray_bootstrap_config.yaml")
"""On the head of a cluster that `ray up` made, which may grow."""


def wait_for_resources(
    asked: Mapping[str, float],
    there: Callable[[], Mapping[str, float]],
    timeout: float | None,
    say: Callable[[str], None],
) -> None:
    """Wait until a cluster has what is asked for; every 30 s say what that is, what there is, and for how long.

    `timeout` in seconds, none for ever. Raises InputError when it has passed.
    """
    began, said = time.monotonic(), -math.inf

    def short(found: Mapping[str, float]) -> bool:
        return any(amount > found.get(name, 0.0) for name, amount in asked.items())

    while short(found := there()):
        now = time.monotonic()
        shortage = f"{in_words(asked)} asked for, the cluster has {in_words({n: found.get(n, 0.0) for n in asked})}"
        if timeout is not None and now - began > timeout:
            raise InputError(
                f"cluster: {shortage}, for {now - began:.0f} s now (cluster.resource_timeout = {timeout:g}). "
                "Add nodes, ask for less (engine.replicas, cluster.train_workers), or set cluster.placement=shared"
            )
        if now - said >= SAY_EVERY:
            said = now
            say(f"waiting for resources since {now - began:.0f} s: {shortage}")
        time.sleep(min(1.0, SAY_EVERY / 10))


def may_grow() -> bool:
    """Whether the cluster adds nodes by itself: made by `ray up`, or under KubeRay, whose autoscaler is
    told of nodes by that variable."""
    return _GROWS.expanduser().exists() or os.environ.get("RAY_CLOUD_INSTANCE_ID") is not None


def in_words(amounts: Mapping[str, float]) -> str:
    """Such as `3 CPU, 1 GPU`; what is 0 is left out unless all is."""
    return ", ".join(f"{amount:g} {name}" for name, amount in amounts.items() if amount) or "nothing"
