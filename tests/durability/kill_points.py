"""Kills runs at every point where they touch a file, and checks that nothing is lost.

    python tests/durability/kill_points.py DIRECTORY --seed 0 --kills 20 [--every]

A run with a fake model and trainer (`fake_run`) is done once undisturbed, then repeatedly in forked processes. Each
process gets SIGKILL right before the n-th time that it opens, renames, links, makes or removes something in its run
directory; n is drawn at random (`--every` takes each in turn). One kill in three first cuts the file about to be
renamed, or that was written last, in half, as a power cut would. After each kill `verify_run` must find no fault, and
the finished run must equal the undisturbed one. Prints one line of JSON.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import traceback
from pathlib import Path

import numpy  # noqa: F401 - everything is imported before the first fork, since that takes longest
from fake_run import content, fake_config, fake_run

import mmst.training  # noqa: F401
from mmst.runs.audit import verify_run

_TOUCHES = frozenset({"open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"})
_DONE, _FAULTY, _BROKEN = 0, 3, 4


class Killer:
    """Counts how often this process touches a directory; kills it before touch number `at`."""

    def __init__(self, root: Path, at: int | None, tear: bool) -> None:
        self.root, self.at, self.tear = str(root), at, tear
        self.count = 0
        self.last: str | None = None

    def __call__(self, event: str, arguments: tuple) -> None:
        if event not in _TOUCHES or not isinstance(arguments[0], str | os.PathLike):
            return
        path = os.fspath(arguments[0])
        if not isinstance(path, str) or not path.startswith(self.root):
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            return
        self.count += 1
        if self.count == self.at:
            torn = path if event == "os.rename" else self.last
            if self.tear and torn and os.path.isfile(torn) and (path == torn or torn.endswith("metrics.jsonl")):  # noqa: PTH113
                os.truncate(torn, os.stat(torn).st_size // 2)  # noqa: PTH116
            os.kill(os.getpid(), signal.SIGKILL)
        if event == "open":
            self.last = path


def in_child(work) -> int:
    """Run work in a forked process; returns its exit code, negative for a signal."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = _BROKEN
    try:
        with Path(os.devnull).open("w") as null, contextlib.redirect_stderr(null), contextlib.redirect_stdout(null):
            code = work()
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def run_killed(directory: Path, name: str, at: int | None, tear: bool) -> int:
    """Start or resume a run, until it ends or until touch `at`."""

    def work() -> int:
        killer = Killer(directory / name, at, tear)
        sys.addaudithook(killer)
        fake_run(fake_config(directory), directory / name)
        (directory / f"{name}.touches").write_text(str(killer.count))
        return _DONE

    return in_child(work)


def verified(root: Path) -> int:
    def work() -> int:
        if not (root / "config.yaml").exists():
            return _DONE
        if faults := verify_run(root)[0]:
            print(*faults, sep="\n", file=sys.__stderr__)
            return _FAULTY
        return _DONE

    return in_child(work)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", action="store_true", help="one run for every touch, instead of --kills in all")
    options = parser.parse_args()
    directory = options.directory.resolve()
    assert run_killed(directory, "undisturbed", None, False) == _DONE
    expected, touches = content(directory / "undisturbed"), int((directory / "undisturbed.touches").read_text())
    draw = random.Random(options.seed)
    tally = {"seed": options.seed, "touches": touches, "kills": 0, "faulty": 0, "broken": 0, "different": 0, "runs": 0}
    points = iter(range(1, touches + 1))
    while tally["kills"] < options.kills or options.every:
        name = f"run-{tally['runs']}"
        if options.every and (point := next(points, None)) is None:
            break
        while True:
            left = options.every or tally["kills"] < options.kills
            at = (point if options.every else draw.randint(1, touches)) if left else None
            tear = draw.random() < 1 / 3
            code = run_killed(directory, name, at, tear)
            if code == _DONE:
                break
            killed = code == -signal.SIGKILL
            tally["kills"] += killed
            tally["broken"] += not killed
            if not killed:
                print(f"{name}: ended with {code} after kill {tally['kills']} (at {at})", file=sys.stderr)
                return print(json.dumps(tally)) or 1
            tally["faulty"] += verified(directory / name) != _DONE
            if options.every:
                point = None
        tally["runs"] += 1
        tally["faulty"] += verified(directory / name) != _DONE
        tally["different"] += content(directory / name) != expected
    print(json.dumps(tally))
    return int(bool(tally["faulty"] or tally["broken"] or tally["different"]))


if __name__ == "__main__":
    sys.exit(main())
