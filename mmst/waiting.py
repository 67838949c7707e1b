"""Waiting for resources that a cluster does not have yet, with messages."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mmst.errors import InputError

SAY_EVERY = 30.0
_RAY_UP = Path("~/ray_bootstrap_config.yaml")
"""Exists on the head of a cluster that `ray up` made."""


def wait_for_resources(
    needed: Mapping[str, float],
    available: Callable[[], Mapping[str, float]],
    timeout: float | None,
    say: Callable[[str], None],
) -> None:
    """Wait until a cluster has the needed resources, such as `{"CPU": 4}`; say every 30 s what is missing.

    Raises InputError after `timeout` seconds; None waits forever.
    """
    began, said = time.monotonic(), -math.inf
    while shortage := shortage_of(needed, available()):
        now = time.monotonic()
        if timeout is not None and now - began > timeout:
            raise InputError(
                f"cluster: {shortage}, for {now - began:.0f} s now (cluster.resource_timeout = {timeout:g}). "
                "Add nodes, request less (engine.replicas, cluster.train_workers), or set cluster.placement=shared"
            )
        if now - said >= SAY_EVERY:
            said = now
            say(f"waiting for resources since {now - began:.0f} s: {shortage}")
        time.sleep(min(1.0, SAY_EVERY / 10))


@contextlib.contextmanager
def telling_of_shortage(
    needed: Mapping[str, float], available: Callable[[], Mapping[str, float]], say: Callable[[str], None]
) -> Iterator[None]:
    """While the block runs, check every 30 s whether the cluster has lost needed resources, and say so.

    Engines and trainers then wait deep inside Ray, without a message.
    """
    over = threading.Event()

    def look() -> None:
        began: float | None = None
        while not over.wait(SAY_EVERY):
            with contextlib.suppress(Exception):  # the head does not answer; the work will notice if it is gone
                shortage = shortage_of(needed, available())
                began = (began or time.monotonic()) if shortage else None
                if began:
                    say(f"resources are missing since {time.monotonic() - began:.0f} s: {shortage}")

    looking = threading.Thread(target=look, name="resources", daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join(SAY_EVERY)


def shortage_of(needed: Mapping[str, float], available: Mapping[str, float]) -> str:
    """Needed and available resources in words; empty if there are enough."""
    if all(amount <= available.get(name, 0.0) for name, amount in needed.items()):
        return ""
    has = in_words({name: available.get(name, 0.0) for name in needed})
    return f"{in_words(needed)} requested, the cluster has {has}"


def may_grow() -> bool:
    """Whether the cluster may add nodes by itself: one made by `ray up`, or under KubeRay, which sets the variable."""
    return _RAY_UP.expanduser().exists() or os.environ.get("RAY_CLOUD_INSTANCE_ID") is not None


def in_words(amounts: Mapping[str, float]) -> str:
    """Resources in words, such as `3 CPU, 1 GPU`, without those of 0."""
    return ", ".join(f"{amount:g} {name}" for name, amount in amounts.items() if amount) or "nothing"
