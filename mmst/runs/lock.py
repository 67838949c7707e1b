"""One writer per run directory, on local disks, file systems that hosts share, and object stores alike.

The holder is the newest file of `locks/`: it says who (host, process, since when), and its beat changes every few
seconds. To take over is to create the next number, which storage grants to one process only: by a hard link on file
systems, by a conditional put on object stores. A holder on this machine is looked up among the processes; one
elsewhere counts as dead when its beat stands still for `STALE_AFTER` seconds *while we watch*, so that no two clocks
are compared. A holder that was silent for so long (suspended, cut off from storage) and comes back finds the newer
file and stops.

What does not hold: storage that neither refuses to create a file twice nor shows it to everybody at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mmst.errors import InputError
from mmst.files import create_text, replace_text
from mmst.processes import process_stat

LOCKS = "locks"
BEAT = 5.0
"""Seconds between two beats."""
STALE_AFTER = 60.0
"""Seconds without a beat after which a holder that cannot be looked up counts as dead."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Holder:
    """Who writes to a run directory. `machine` is a boot of a kernel and a set of processes on it, `started` the
    process's start in ticks since that boot; `beat` grows as long as it lives."""

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
        """Whether it is there; none where that cannot be known from here."""
        if self.released:
            return False
        return started(self.pid) == self.started if self.machine == machine() else None


def holder_of(root: Path) -> Holder | None:
    """Who holds a run directory, as far as is known from here; none where nobody does."""
    newest = _newest(root)
    holder = _read(_path(root, newest)) if newest else None
    return holder if holder and holder.lives() is not False else None


@contextlib.contextmanager
def held(root: Path, say: Say = lambda line: None) -> Iterator[None]:
    """Hold the lock of a run directory while the block runs; a dead holder's is taken over.

    Raises InputError that names a live holder, or the one that took over while this process was not heard of.
    """
    number = _acquire(root, say)
    own, end, lost = _path(root, number), threading.Event(), threading.Event()

    def beat() -> None:
        holder = _read(own)
        while holder and not end.wait(BEAT):
            holder = replace(holder, beat=holder.beat + 1)
            with contextlib.suppress(OSError):  # the next beat may get through; if none does, others take over
                if _newest(root) > number:
                    lost.set()
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                    return
                replace_text(own, _text(holder))

    heart = threading.Thread(target=beat, name="lock", daemon=True)
    heart.start()
    try:
        yield
    except KeyboardInterrupt:
        if lost.is_set():
            raise InputError(
                f"{root}: was taken over by {holder_of(root)} while this process was not heard of for {STALE_AFTER:g} s"
            ) from None
        raise
    finally:
        end.set()
        heart.join()
        if not lost.is_set():
            try:
                replace_text(own, _text(replace(_ourselves(), released=True)))
            except OSError:  # a full disk still lets go of files
                own.unlink(missing_ok=True)


def _acquire(root: Path, say: Say) -> int:
    """Become the holder; returns the number of our file."""
    while True:
        newest = _newest(root)
        if newest and (why := _still_held(root, newest, say)):
            raise InputError(f"{root}: in use by {why}; wait for it, end it, or take another --run-dir")
        own = newest + 1
        if create_text(_path(root, own), _text(_ourselves())):
            if _newest(root) == own:
                _path(root, newest).unlink(missing_ok=True)
                return own
            _path(root, own).unlink()  # somebody came, held the lock and went between our two looks


def _still_held(root: Path, number: int, say: Say) -> str | None:
    """Who holds the lock, none for nobody. Watches the beat where the holder cannot be looked up."""
    first = _read(path := _path(root, number))
    if first is not None and (lives := first.lives()) is not None:
        return str(first) if lives else None
    say(f"{root}: {first or 'somebody'} holds it or died; watching for {STALE_AFTER:g} s")
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
    """This boot of this kernel, and the set of processes that can be seen here: containers have their own."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{Path('/proc/self/ns/pid').readlink()}"


def started(pid: int) -> int | None:
    """When a process started, in ticks since boot; none where it is gone, or dead and only not yet waited for."""
    stat = process_stat(pid)
    return stat.started if stat and stat.state not in "ZX" else None


def _ourselves() -> Holder:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return Holder(socket.gethostname(), machine(), os.getpid(), started(os.getpid()) or 0, since)


def _path(root: Path, number: int) -> Path:
    return root / LOCKS / f"{number:06d}.json"


def _newest(root: Path) -> int:
    """The number of the newest file, 0 for none."""
    return max((int(path.stem) for path in (root / LOCKS).glob("*.json") if path.stem.isdigit()), default=0)


def _read(path: Path) -> Holder | None:
    """What a lock file says; none where it is gone or says nothing that can be read."""
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _text(holder: Holder) -> str:
    return json.dumps(asdict(holder)) + "\n"
