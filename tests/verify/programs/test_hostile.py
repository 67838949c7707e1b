"""Nothing that a program does gets past the sandbox, or into the next program; and without a layer, some of it does."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import hostile_reach  # noqa: F401 - adds its cases
import pytest
from hostile import CASES, Hostile

from mmst.verify.programs import Execution, Limits, Sandbox
from mmst.verify.programs.confine import LAYERS

# Short for programs that are to run into them; generous for the others, so that a busy machine fails no test.
SHORT = Limits(cpu_seconds=0.3, wall_seconds=1.5, memory_bytes=1 << 27)
GENEROUS = Limits(cpu_seconds=10.0, wall_seconds=40.0, memory_bytes=1 << 27)
NEXT = """
import builtins, datetime, decimal, math, os, random, sys, time
print(math.pi, time.tzname[0], decimal.getcontext().prec, sys.getrecursionlimit(), len(os.environ), 1 + 1)
ans = [builtins.len('abc'), str(0.1 + 0.2), decimal.Decimal(1) / 3]
"""
NEXT_STDOUT = "3.141592653589793 UTC 28 1000 0 2\n"
NEXT_ANSWER = "[3, '0.30000000000000004', Decimal('0.3333333333333333333333333333')]"


@dataclass
class World:
    """What a program reaches for: a secret file, an empty folder, listeners on loopback."""

    folder: Path
    sockets: dict[str, socket.socket] = field(default_factory=dict)

    def __enter__(self) -> World:
        (self.folder / "empty").mkdir(parents=True)
        (self.folder / "secret").write_text("a well kept secret")
        (self.folder / "planted.py").write_text("print('BROKE')")
        for name, family, kind in (
            ("TCP", socket.AF_INET, socket.SOCK_STREAM),
            ("UDP", socket.AF_INET, socket.SOCK_DGRAM),
            ("UNIX", socket.AF_UNIX, socket.SOCK_STREAM),
        ):
            self.sockets[name] = socket.socket(family, kind)
            self.sockets[name].setblocking(False)
            self.sockets[name].bind(str(self.folder / "unix") if name == "UNIX" else ("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                self.sockets[name].listen()
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self.sockets.values():
            listener.close()

    def fill(self, program: str) -> str:
        places = {"SECRET": self.folder / "secret", "FOLDER": self.folder / "empty", "HOST": os.getpid()}
        places |= {name: self.sockets[name].getsockname()[1] for name in ("TCP", "UDP")}
        places["UNIX"] = self.folder / "unix"
        for name, value in places.items():
            program = program.replace(f"@{name}@", str(value))
        return program

    def touched(self) -> str | None:
        """What a program has left or reached, if anything."""
        left = [*(self.folder / "empty").iterdir(), *Path("/").glob("mmst-left"), *Path("/dev/shm").glob("mmst-left")]
        if left or (self.folder / "secret").read_text() != "a well kept secret":
            return f"files: {left}"
        for name, listener in self.sockets.items():
            try:
                listener.recv(9) if name == "UDP" else listener.accept()
            except BlockingIOError:
                continue
            return f"{name} was reached"
        return None


def _children_of_parents() -> list[int]:
    """Children of this process's warm parents, and such children that lost their parent."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, stat = (folder / "cmdline").read_bytes(), (folder / "stat").read_text()
        except OSError:
            continue
        if b"programs/parent.py" in command:
            found[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    return [pid for pid, parent in found.items() if parent == 1 or found.get(parent) == os.getpid()]


def _broken(case: Hostile, seen: Execution, limits: Limits) -> str | None:
    """How a program's promise was broken, in words."""
    said = f"{seen.answer}{seen.stdout}{seen.stderr}"
    if seen.status not in case.statuses:
        return f"{seen.status}, not {' or '.join(case.statuses)}: {said[-300:]}"
    if "BROKE" in f"{seen.answer}{seen.stdout}" or "a well kept secret" in said:
        return f"got what it must not get: {said[-300:]}"
    if seen.answer == "31337" or (seen.status != "ok" and seen.answer is not None):
        return f"handed over {seen.answer!r}"
    if case.answer is not None and seen.answer != case.answer:
        return f"answer {seen.answer!r}, not {case.answer!r}"
    if seen.cpu_seconds > limits.cpu_seconds + 1:  # for wall time see below: another's load may add to it
        return f"took {seen.cpu_seconds:.2f} s of CPU time"
    return None


def _verify(box: Sandbox, folder: Path, case: Hostile) -> str | None:
    with World(folder) as world:
        return _verify_in(world, box, case)


def _verify_in(world: World, box: Sandbox, case: Hostile) -> str | None:
    seen = box.execute(world.fill(case.program))
    broken = _broken(case, seen, box.limits)
    after = box.execute(NEXT)
    if after.status == "timeout":  # the limits are short, and the machine may be busy
        after = box.execute(NEXT)
    if (after.status, after.answer, after.stdout) != ("ok", NEXT_ANSWER, NEXT_STDOUT):
        broken = broken or f"the next program was affected: {after}"
    return broken or world.touched()


def _verify_all(
    folder: Path, cases: list[Hostile], limits: Limits, layers: tuple[str, ...] = LAYERS
) -> dict[str, str | None]:
    """Each program's promise: None where it was kept, else how it was broken. Two sandboxes share the work."""

    def verify(half: list[Hostile]) -> dict[str, str | None]:
        with Sandbox(limits, allow_weak=True, fast=False, layers=layers) as box:
            return {case.name: _verify(box, folder / str(cases.index(case)), case) for case in half}

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(verify, (cases[::2], cases[1::2]))
    return first | second


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    ended = [case for case in CASES if "timeout" in case.statuses]
    others = [case for case in CASES if "timeout" not in case.statuses]
    folder = tmp_path_factory.mktemp("hostile")
    return _verify_all(folder / "ended", ended, SHORT) | _verify_all(folder / "others", others, GENEROUS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hostile(case: Hostile, verdicts: dict[str, str | None]) -> None:
    assert verdicts[case.name] is None


def test_no_process_is_left(verdicts: dict[str, str | None]) -> None:
    assert not _children_of_parents()


GROUPS = sorted({case.held_by for case in CASES if case.held_by})


@pytest.mark.parametrize("group", GROUPS, ids=" and ".join)
def test_without_its_layers_a_promise_is_broken(group: tuple[str, ...], tmp_path: Path) -> None:
    cases = [case for case in CASES if case.held_by == group]
    verdicts = _verify_all(tmp_path, cases, SHORT, tuple(layer for layer in LAYERS if layer not in group))
    assert [name for name, broken in verdicts.items() if broken is None] == []


def test_without_landlock_every_promise_is_kept(tmp_path: Path) -> None:
    cases = [case for case in CASES if "landlock" in case.held_by]
    verdicts = _verify_all(tmp_path, cases, GENEROUS, tuple(layer for layer in LAYERS if layer != "landlock"))
    assert {name: broken for name, broken in verdicts.items() if broken} == {}


@pytest.mark.parametrize("program", ["while True: pass", "import time\ntime.sleep(20)"], ids=["computing", "sleeping"])
def test_a_program_is_ended_within_a_second_of_its_limit(program: str) -> None:
    """The best of three: a machine under load may be late, a sandbox may not."""
    with Sandbox(Limits(cpu_seconds=0.3, wall_seconds=0.6)) as box:
        assert min(box.execute(program).wall_seconds for _ in range(3)) < 1.3
