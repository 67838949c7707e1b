"""Kills the processes of real, tiny runs, and looks whether what they come to is what an undisturbed run comes to.

    python tests/chaos.py DIRECTORY --kills 60 --seed 0          (make chaos)

Every part is real: Ray, vLLM in Ray Serve, DeepSpeed, the sandbox. A run is done once undisturbed. Then runs are done
that are killed: the driver, an engine replica, the engine process in it, a judge, a train worker or the raylet gets
SIGKILL; first at the beginning of every stage, then at random moments within stages (all drawn with the seed, and
printed). What the run does not survive is gone on with by the same command line, after `mmst verify-run` found nothing
wrong. In the end solutions, fates, pool and evaluation must be those of the undisturbed run, row for row. Prints what
happened, then `kills N, lost 0, doubled 0, stuck 0`; the exit code is 1 where anything but N is not 0.
"""

import argparse
import collections
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import yaml
from micro import MICRO

CONFIG = MICRO | {
    "name": "chaos",
    "training": {"batch": 32, "schedule": {"steps": 30, "learning_rate": 1e-3}, "checkpoint_every": 10},
}
STAGES = [
    *((0, stage) for stage in ("train", "evaluate", "promote")),
    *((1, stage) for stage in ("generate", "filter", "translate", "train", "evaluate", "promote")),
]
VICTIMS = {
    "driver": r"mmst\.cli",
    "replica": r"ServeReplica",
    "engine": r"EngineCore",
    "judge": r"ray::Judge",
    "trainer": r"RayTrainWorker|TrainWorker",
    "raylet": r"/raylet\b|^raylet",
}
AT_WORK = {
    "train": ("driver", "trainer", "raylet"),
    "generate": ("driver", "replica", "engine", "judge", "raylet"),
    "translate": ("driver", "replica", "engine", "judge", "raylet"),
    "evaluate": ("driver", "replica", "engine", "judge", "raylet"),
    "filter": ("driver", "raylet"),
    "promote": ("driver", "raylet"),
}
STUCK_AFTER = 900.0
"""Seconds without any new line, manifest or part, after which a run counts as stuck."""
TABLES = ("solutions/part-*", "translations/part-*", "translations/fates*", "fates*", "pool*", "evaluation/solutions*")


@dataclass
class Kill:
    """Who, and when: so many seconds after a stage of a round was announced."""

    victim: str
    round: int
    stage: str
    after: float

    def __str__(self) -> str:
        return f"{self.victim} {self.after:.2f} s into {self.stage} of round {self.round}"


def plan(kills: int, seed: int, durations: dict[tuple[int, str], float]) -> Iterator[Kill]:
    """Every stage boundary, with victims in turn; then random moments."""
    draw = random.Random(seed)
    turns = {stage: itertools.cycle(victims) for stage, victims in AT_WORK.items()}
    for number in range(kills):
        round_, stage = STAGES[number % len(STAGES)]
        boundary = number < len(STAGES)
        victim = "driver" if boundary else next(turns[stage])
        yield Kill(victim, round_, stage, 0.0 if boundary else draw.uniform(0, durations[round_, stage]))


class Run:
    """One run directory and the processes that work on it."""

    def __init__(self, root: Path, config: Path) -> None:
        self.root, self.config, self.starts = root, config, 0
        self.process: subprocess.Popen | None = None
        self.environment = {**os.environ, "MMST_CHAOS": str(root)}

    def start(self) -> None:
        """Start it, or go on with it."""
        self.starts += 1
        self.log = self.root.parent / f"{self.root.name}-{self.starts}.log"
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from mmst.cli import main; main()", "run", str(self.config), "--run-dir",
                 str(self.root)], stdout=out, stderr=subprocess.STDOUT, env=self.environment, start_new_session=True,
            )  # fmt: skip

    def processes(self) -> Iterator[tuple[psutil.Process, str]]:
        """Those of this run that live, with their command lines: they carry a variable."""
        for process in psutil.process_iter():
            try:
                if process.environ().get("MMST_CHAOS") == str(self.root) and process.status() != psutil.STATUS_ZOMBIE:
                    yield process, " ".join(process.cmdline())
            except psutil.Error:
                continue

    def over(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self, victim: str) -> bool:
        """SIGKILL for one process of that kind; whether there was one."""
        for process, command in self.processes():
            ours = process.pid == self.process.pid if victim == "driver" else re.search(VICTIMS[victim], command)
            if ours:
                process.kill()
                return True
        return False

    def wait_for_nobody(self, seconds: float = 90.0) -> list[str]:
        """Wait until no process of the run is left; returns those that are, and ends them."""
        deadline = time.monotonic() + seconds
        while left := list(self.processes()):
            if time.monotonic() > deadline:
                for process, _ in left:
                    process.kill()
                return [command[:80] for _, command in left]
            time.sleep(0.2)
        return []

    def signs(self) -> tuple[int, ...]:
        """Changes as long as the run moves."""
        paths = [self.log, self.root / "progress.json", *self.root.glob("round-*/*"), *self.root.glob("round-*/*/*")]
        return tuple(path.stat().st_mtime_ns for path in paths if path.exists())

    def wait(self, until: str | None) -> bool:
        """Wait for a line in the log, or for the end; false where nothing moves for too long."""
        last, moved = self.signs(), time.monotonic()
        while not self.over() and not (until and until in self.log.read_text()):
            time.sleep(0.02)
            if (now := self.signs()) != last:
                last, moved = now, time.monotonic()
            elif time.monotonic() - moved > STUCK_AFTER:
                return False
        return True


def rows(root: Path) -> collections.Counter:
    """Every row of every table of a run, with the table that it is in."""
    found: collections.Counter = collections.Counter()
    for round_ in sorted(root.glob("round-*")):
        for pattern in TABLES:
            for path in sorted(round_.glob(f"{pattern}.parquet")):
                table = f"{round_.name}/{pattern}"
                found.update((table, *map(repr, row.items())) for row in pq.read_table(path).to_pylist())
    return found


def durations(root: Path) -> dict[tuple[int, str], float]:
    """Seconds that each stage took in the undisturbed run."""
    return {
        (number, stage): json.loads((root / f"round-{number:03d}/stages/{stage}.json").read_text())["seconds"]
        for number, stage in STAGES
    }


def verified(root: Path) -> bool:
    """Whether `mmst verify-run` finds nothing wrong."""
    if not (root / "config.yaml").exists():
        return True
    command = [sys.executable, "-c", "from mmst.cli import main; main()", "verify-run", str(root)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        print(result.stdout + result.stderr, flush=True)
    return result.returncode == 0


class Tally:
    """What the kills did."""

    def __init__(self, expected: collections.Counter) -> None:
        self.expected = expected
        self.kills = self.lost = self.doubled = self.stuck = self.faulty = 0

    def compare(self, root: Path) -> None:
        found = rows(root)
        self.lost += sum((self.expected - found).values())
        self.doubled += sum((found - self.expected).values())

    def __str__(self) -> str:
        faults = f", faulty {self.faulty}" if self.faulty else ""
        return f"kills {self.kills}, lost {self.lost}, doubled {self.doubled}, stuck {self.stuck}{faults}"


def disturb(directory: Path, config: Path, kills: list[Kill], tally: Tally) -> None:
    """Carry the kills out, run after run, until all are done."""
    waiting = collections.deque(kills)
    for number in itertools.count():
        run = Run(directory / f"run-{number}", config)
        run.start()
        while True:
            kill = next((k for k in waiting if not _passed(run.root, k)), None)
            if kill is None:
                break
            if not run.wait(f"round {kill.round}: {kill.stage}"):
                tally.stuck += 1
            elif not run.over():
                time.sleep(kill.after)
                if run.kill(kill.victim):
                    waiting.remove(kill)
                    tally.kills += 1
                    print(f"{run.root.name}: {kill}", flush=True)
                    if kill.victim == "driver":
                        run.process.wait()
                elif not run.over():
                    waiting.rotate(-1)  # nobody of that kind was there; later
                    time.sleep(0.2)
            if run.over():
                again(run, tally)
        if not finish(run, tally):
            return
        tally.compare(run.root)
        print(f"{run.root.name}: {run.starts} starts; {tally}", flush=True)
        if not waiting:
            return


def _passed(root: Path, kill: Kill) -> bool:
    return (root / f"round-{kill.round:03d}/stages/{kill.stage}.json").exists()


def again(run: Run, tally: Tally) -> None:
    """After a run ended before its time: nothing of it may be left, what it wrote must be right, and it goes on."""
    if left := run.wait_for_nobody():
        tally.stuck += 1
        print(f"{run.root.name}: still there: {left}", flush=True)
    tally.faulty += not verified(run.root)
    run.start()


def finish(run: Run, tally: Tally, starts: int = 4) -> bool:
    """Let a run come to its end; it may need to be gone on with after what it did not survive."""
    for _ in range(starts):
        if not run.wait(None):
            tally.stuck += 1
            run.process.send_signal(signal.SIGKILL)
        if run.process.wait() == 0:
            run.wait_for_nobody()
            tally.faulty += not verified(run.root)
            return True
        again(run, tally)
    print(f"{run.root.name}: does not come to its end:\n{run.log.read_text()[-3000:]}", flush=True)
    tally.stuck += 1
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path, help="where runs go; an undisturbed one there is used again")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    directory = options.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "chaos.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    undisturbed = Run(directory / "undisturbed", config)
    tally = Tally(collections.Counter())
    undisturbed.start()
    if not finish(undisturbed, tally, starts=1) or not verified(undisturbed.root):
        return 1
    tally.expected = rows(undisturbed.root)
    kills = list(plan(options.kills, options.seed, durations(undisturbed.root)))
    print(f"seed {options.seed}; the undisturbed run has {tally.expected.total()} rows", flush=True)
    disturb(directory, config, kills, tally)
    print(tally)
    return int(tally.kills < options.kills or bool(tally.lost or tally.doubled or tally.stuck or tally.faulty))


if __name__ == "__main__":
    sys.exit(main())
