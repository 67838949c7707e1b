"""A lock that gives a run directory one writer, on local disks, shared file systems and object stores.

The newest file in `locks/` names the holder (host, process, start time) and has a heartbeat that changes every few
seconds. A process takes over by creating the file with the next number, which storage grants to one process only: by a
hard link on file systems, by a conditional put on object stores. A holder on this machine is looked up in the process
table. A holder elsewhere counts as dead if its heartbeat stands still for `STALE_AFTER` seconds *while we watch*, so no
clocks are compared. A holder that was suspended or cut off from storage for that long finds the newer file and stops.

The lock is unsafe on storage that lets two processes create the same file, or shows new files late.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PosixPath

from mmst.errors import InputError
from mmst.files import create_text, replace_text
from mmst.foreign import read_json, refuse_links
from mmst.processes import process_stat
from mmst.runs import manifests

LOCKS = "locks"
BEAT = 5.0
"""Seconds between two heartbeats."""
STALE_AFTER = 60.0
"""Seconds without a heartbeat after which a holder on another machine counts as dead."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Holder:
    """The process that writes to a run directory. `machine` identifies a boot and a process namespace, `started` is the
    start of the process in ticks since that boot, and `beat` grows as long as the process lives."""

    host: str
    machine: str
    pid: int
    started: int
    since: str
    beat: int = 0
    released: bool = False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"

    def lives(self) -> bool | None:
        """Whether the process lives; None if this cannot be seen from here."""
        if self.released:
            return False
        return started(self.pid) == self.started if self.machine == machine() else None


def holder_of(root: Path) -> Holder | None:
    """The holder of a run directory; None if there is none, or a dead one on this machine."""
    newest = _newest(root)
    holder = _read(_path(root, newest)) if newest else None
    return holder if holder and holder.lives() is not False else None


@contextlib.contextmanager
def held(root: Path, say: Say = lambda line: None) -> Iterator[None]:
    """Hold the lock of a run directory while the block runs; the lock of a dead holder is taken over.

    Raises InputError if another live process holds it, and in the block if another process took over because this one
    seemed dead. Also for a link that leads out of the directory: its holder writes and removes files.
    """
    if isinstance(root, PosixPath):
        refuse_links(root)
    number = _acquire(root, say)
    own, end, lost, thread = _path(root, number), threading.Event(), threading.Event(), threading.current_thread()

    def beat() -> None:
        holder = _read(own)
        while holder and not end.wait(BEAT):
            holder = replace(holder, beat=holder.beat + 1)
            with contextlib.suppress(OSError):  # the next beat may succeed; if none does, others take over
                if _newest(root) > number:
                    lost.set()
                    _interrupt(thread)
                    return
                replace_text(own, _text(holder))

    heart = threading.Thread(target=beat, name="lock", daemon=True)
    heart.start()
    try:
        yield
    except KeyboardInterrupt:
        if lost.is_set():
            raise InputError(
                f"{root}: taken over by {holder_of(root)}, since this process was silent for {STALE_AFTER:g} s"
            ) from None
        raise
    finally:
        end.set()
        heart.join()
        if not lost.is_set():
            try:
                replace_text(own, _text(replace(_ourselves(), released=True)))
            except OSError:  # a full disk still allows removals
                own.unlink(missing_ok=True)


def _interrupt(thread: threading.Thread) -> None:
    """Raise KeyboardInterrupt in a thread.

    In the main thread by a signal, which also ends blocking calls, unless the process ignores it (as background jobs of
    a shell do).
    """
    ident = thread.ident or 0
    if thread is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
        signal.pthread_kill(ident, signal.SIGINT)
    else:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt))


def _acquire(root: Path, say: Say) -> int:
    """Become the holder; returns the number of the new lock file."""
    while True:
        newest = _newest(root)
        if newest and (holder := _still_held(root, newest, say)):
            raise InputError(f"{root}: in use by {holder}; wait for it, end it, or choose another --run-dir")
        own = newest + 1
        if create_text(_path(root, own), _text(_ourselves())):
            if _newest(root) == own:
                _path(root, newest).unlink(missing_ok=True)
                return own
            _path(root, own).unlink()  # another process took and released the lock in between


def _still_held(root: Path, number: int, say: Say) -> str | None:
    """The live holder of a lock file, None if it is dead. Watches the heartbeat of a holder on another machine."""
    first = _read(path := _path(root, number))
    if first is not None and (lives := first.lives()) is not None:
        return str(first) if lives else None
    say(f"{root}: {first or 'an unknown process'} holds it or is dead; watching its heartbeat for {STALE_AFTER:g} s")
    began = time.monotonic()
    while time.monotonic() - began < STALE_AFTER:
        time.sleep(min(1.0, STALE_AFTER / 10))
        now = _read(path)
        if _newest(root) != number or (now and now.released):
            return None
        if now and now != first:
            return str(now)
    return None


def machine() -> str:
    """Identifies the boot of the kernel and the process namespace, since containers have their own."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{Path('/proc/self/ns/pid').readlink()}"


def started(pid: int) -> int | None:
    """The start of a process in ticks since boot; None if it is gone or a zombie."""
    stat = process_stat(pid)
    return stat.started if stat and stat.state not in "ZX" else None


def _ourselves() -> Holder:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return Holder(socket.gethostname(), machine(), os.getpid(), started(os.getpid()) or 0, since)


def _path(root: Path, number: int) -> Path:
    return root / LOCKS / f"{number:06d}.json"


def _newest(root: Path) -> int:
    """The number of the newest lock file, 0 if there is none."""
    return max((int(path.stem) for path in (root / LOCKS).glob("*.json") if path.stem.isdigit()), default=0)


def _read(path: Path) -> Holder | None:
    """The content of a lock file; None if it is gone or invalid."""
    try:
        return Holder(**read_json(path, manifests.Holder).model_dump())
    except (OSError, InputError):
        return None


def _text(holder: Holder) -> str:
    return json.dumps(asdict(holder)) + "\n"
