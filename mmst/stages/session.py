"""A connection to Ray: to a running cluster, or to a private Ray that ends with the `with` block."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from mmst.errors import GaveUp

_STARTS = 4
"""How often a private Ray is started before giving up."""
_LOOK_EVERY = 0.1
"""Seconds between two looks at the raylet: Ray may end the process within a second of its death."""
_PRIVATE: dict[str, Any] = {
    "include_dashboard": False,
    "_node_ip_address": "127.0.0.1",
    "_system_config": {
        "worker_niceness": 0,  # at Ray's 15, workers would lose to anything else on a laptop
        # Records for a dashboard that is not there.
        "enable_metrics_collection": False,
        "event_stats": False,
        "task_events_report_interval_ms": 0,
    },
}


class RuntimeFailure(GaveUp):
    """The private Ray of this process died, and with it all actors. What is finished is on disk."""


@contextlib.contextmanager
def ray_session(address: str | None, on_death: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Connect to the cluster at `address` or RAY_ADDRESS, else start a private Ray; yields whether it is private.

    If the raylet of a private Ray dies, `on_death` is called from a thread, and a main thread inside the block is
    interrupted as by Ctrl-C: calls to Ray would hang or fail obscurely. Whatever exception leaves the block then
    becomes a RuntimeFailure. Ray's signal handlers are undone, so that SIGTERM does what it did before.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    on_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    _connect(address)
    import ray

    if on_main_thread and handler is not None:
        signal.signal(signal.SIGTERM, handler)
    watch = _RayletWatch(on_death, on_main_thread) if not address else None
    try:
        yield not address
    except BaseException as error:
        if watch is not None and watch.died():
            raise RuntimeFailure(
                f"Ray's raylet (process {watch.raylet.pid}) died: it was killed, or the machine ran out of memory. "
                "Finished work is kept: rerun the same command to resume"
            ) from error
        raise
    finally:
        if watch is not None:
            watch.over.set()
        ray.shutdown()


def _connect(address: str | None) -> None:
    """Initialize Ray. A private one gets several attempts: Ray gives a new node 30 s, however busy the machine is."""
    with contextlib.nullcontext() if address else _loopback():
        import ray

        private = {} if address else _PRIVATE
        for left in reversed(range(_STARTS)):
            try:
                ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **private)
                return
            except Exception as error:  # Ray has no class for this one
                if not left or address or "timed out during startup" not in str(error):
                    raise
                ray.shutdown()


@contextlib.contextmanager
def _loopback() -> Iterator[None]:
    """Have a Ray that starts inside the block listen on 127.0.0.1; by default it listens on every interface.

    Ray does so by itself on macOS and Windows, unless the variable below is 1. It reads the variable when it is
    imported, so the value that it read is set too.
    """
    variable = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
    set_by_user = variable in os.environ
    value = os.environ.setdefault(variable, "0")
    from ray._private import ray_constants

    before, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, value.lower() in ("1", "true")
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
        if not set_by_user:
            del os.environ[variable]


class _RayletWatch:
    """A thread that looks whether the raylet of a private Ray is alive."""

    def __init__(self, on_death: Callable[[], None], interrupt: bool) -> None:
        import psutil

        self.raylet = next(child for child in psutil.Process().children() if child.name() == "raylet")
        self.over = threading.Event()
        self._on_death, self._interrupt = on_death, interrupt
        threading.Thread(target=self._look, name="raylet", daemon=True).start()

    def died(self) -> bool:
        """Whether the raylet is dead."""
        import psutil

        try:
            return self.raylet.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def _look(self) -> None:
        while not self.over.wait(_LOOK_EVERY):
            if self.died():
                self._on_death()
                if self._interrupt and callable(signal.getsignal(signal.SIGINT)):
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return
