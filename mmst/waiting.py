"""Waiting for what a cluster does not have yet, and saying so."""

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
    while shortage := shortage_of(asked, there()):
        now = time.monotonic()
        if timeout is not None and now - began > timeout:
            raise InputError(
                f"cluster: {shortage}, for {now - began:.0f} s now (cluster.resource_timeout = {timeout:g}). "
                "Add nodes, ask for less (engine.replicas, cluster.train_workers), or set cluster.placement=shared"
            )
        if now - said >= SAY_EVERY:
            said = now
            say(f"waiting for resources since {now - began:.0f} s: {shortage}")
        time.sleep(min(1.0, SAY_EVERY / 10))


@contextlib.contextmanager
def telling_of_shortage(
    asked: Mapping[str, float], there: Callable[[], Mapping[str, float]], say: Callable[[str], None]
) -> Iterator[None]:
    """While the block runs, look every 30 s whether the cluster lost what was asked for, and say what it has and since
    when: what may wait for the rest, an engine or a trainer, is deep inside Ray and says nothing."""
    over = threading.Event()

    def look() -> None:
        began: float | None = None
        while not over.wait(SAY_EVERY):
            with contextlib.suppress(Exception):  # a head that doesn't answer; the work finds out whether it is gone
                shortage = shortage_of(asked, there())
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


def shortage_of(asked: Mapping[str, float], there: Mapping[str, float]) -> str:
    """What is asked for and what is there, in words; empty where that is enough."""
    if all(amount <= there.get(name, 0.0) for name, amount in asked.items()):
        return ""
    return f"{in_words(asked)} asked for, the cluster has {in_words({name: there.get(name, 0.0) for name in asked})}"


def may_grow() -> bool:
    """Whether the cluster adds nodes by itself: made by `ray up`, or under KubeRay, whose autoscaler is
    told of nodes by that variable."""
    return _GROWS.expanduser().exists() or os.environ.get("RAY_CLOUD_INSTANCE_ID") is not None


def in_words(amounts: Mapping[str, float]) -> str:
    """Such as `3 CPU, 1 GPU`; what is 0 is left out unless all is."""
    return ", ".join(f"{amount:g} {name}" for name, amount in amounts.items() if amount) or "nothing"
