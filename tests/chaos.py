"""Kills processes of real, tiny runs, and checks that the results equal those of an undisturbed run.

    python tests/chaos.py DIRECTORY --kills 60 --seed 0          (make chaos)

Every part is real: Ray, vLLM in Ray Serve, DeepSpeed, the sandbox. After one undisturbed run, further runs are
disturbed: the driver, an engine replica, its engine process, a verifier, a train worker or the raylet gets SIGKILL, at
the beginning of every stage, while something starts, and at random moments of its work (drawn with the seed, and
printed). If the run does not survive a kill, `mmst verify-run` must find no fault and the same command resumes it. In
the end solutions, decisions, pool, evaluation and losses must equal those of the undisturbed run row by row. Prints
the kills, then `kills N, lost 0, doubled 0, stuck 0`; the exit code is 1 if any number but N is not 0.
"""

import argparse
import collections
import contextlib
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import yaml
from micro import MICRO

from mmst.runs.live import read_progress

CONFIG = MICRO | {
    "name": "chaos",
    "training": {"batch": 32, "schedule": {"steps": 30, "learning_rate": 1e-3}, "checkpoint_every": 10},
}
SMALL_PARTS = "import mmst.stages.sampling as s; s.PART = 32"
"""Runs before the command: several parts per stage, even in tiny runs."""
MMST = "from mmst.cli import main; main()"
STAGES = [
    *((0, stage) for stage in ("train", "evaluate", "promote")),
    *((1, stage) for stage in ("generate", "filter", "translate", "train", "evaluate", "promote")),
]
PROCESSES = {
    "replica": r"^ray::ServeReplica",
    "verifier": r"^ray::Verifier",
    "trainer": r"^ray::RayTrainWorker",
    "raylet": r"^\S*/raylet/raylet ",
    "engine": r"EngineCore",
}
"""Command lines of the victims; the driver is the process that was started."""
ASKING = ("driver", "replica", "verifier", "raylet", "engine")
AT_WORK = {
    **dict.fromkeys(("generate", "translate", "evaluate"), ASKING),
    "train": ("driver", "trainer", "raylet"),
    **dict.fromkeys(("filter", "promote"), ("driver", "raylet")),
}
PER_STAGE = 3
"""Kills in one stage of one run: as many as requests are retried, and training is restarted."""
STUCK_AFTER = 900.0
"""Seconds without a new line, manifest or part after which a run counts as stuck."""
TABLES = (
    "solutions/part-*",
    "translations/part-*",
    "translations/decisions*",
    "decisions*",
    "pool*",
    "evaluation/solutions*",
)


@dataclass(frozen=True)
class Kill:
    """A victim and a time: `after` seconds after the stage was announced or, with `at_work`, after its work began and
    the victim existed."""

    victim: str
    round: int
    stage: str
    after: float
    at_work: bool

    def __str__(self) -> str:
        return (
            f"{self.victim} {self.after:.2f} s into {'the work of ' * self.at_work}{self.stage} of round {self.round}"
        )


def plan(kills: int, seed: int, durations: dict[tuple[int, str], float]) -> Iterator[Kill]:
    """Alternate between stage boundaries, until all are used, and random stages with each victim in turn: one in three
    while it starts, the others at a random moment of their work."""
    draw = random.Random(seed)
    boundaries, victims = iter(draw.sample(STAGES, len(STAGES))), itertools.cycle(("driver", *PROCESSES))
    whole = itertools.cycle(("driver", "raylet"))
    for number in range(kills):
        if number % 2 and (stage := next(boundaries, None)):
            yield Kill(next(whole), *stage, 0.0, False)
            continue
        victim = next(victims)
        stage = draw.choice([(n, name) for n, name in STAGES if victim in AT_WORK[name]])
        at_work = draw.random() > 1 / 3
        yield Kill(victim, *stage, draw.uniform(0, durations[stage] if at_work else 1.0), at_work)


class Run:
    """A run directory and the processes that work on it."""

    def __init__(self, root: Path, config: Path) -> None:
        self.root, self.config, self.starts = root, config, 0
        self.process: subprocess.Popen | None = None
        self.environment = {**os.environ, "MMST_CHAOS": str(root)}

    def start(self) -> None:
        """Start or resume the run."""
        self.starts += 1
        self.log = self.root.parent / f"{self.root.name}-{self.starts}.log"
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"{SMALL_PARTS}; {MMST}", "run", str(self.config), "--run-dir", str(self.root)],
                stdout=out, stderr=subprocess.STDOUT, env=self.environment, start_new_session=True,
            )  # fmt: skip

    def processes(self) -> Iterator[tuple[psutil.Process, str]]:
        """The live processes of this run, found by an environment variable, with their command lines."""
        for process in psutil.process_iter():
            try:
                if process.environ().get("MMST_CHAOS") == str(self.root) and process.status() != psutil.STATUS_ZOMBIE:
                    yield process, " ".join(process.cmdline())
            except psutil.Error:
                continue

    def over(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def victim(self, name: str) -> psutil.Process | None:
        """A process of this kind, None if there is none."""
        if self.over():
            return None
        if name == "driver":
            return psutil.Process(self.process.pid)
        return next((process for process, command in self.processes() if re.search(PROCESSES[name], command)), None)

    def due(self, kill: Kill) -> psutil.Process | None:
        """The victim, once the delay of the kill starts."""
        if not self.announced(kill):
            return None
        if kill.at_work and kill.stage not in ("filter", "promote"):
            now = read_progress(self.root) or {}
            if (now.get("round"), now.get("stage")) != (kill.round, kill.stage) or "work" not in now:
                return None
            if kill.stage == "train" and not now["done"]:
                return None
        return self.victim(kill.victim)

    def announced(self, kill: Kill) -> bool:
        return f"round {kill.round}: {kill.stage}\n" in self.log.read_text()

    def passed(self, kill: Kill) -> bool:
        return (self.root / f"round-{kill.round:03d}/stages/{kill.stage}.json").exists()

    def wait_for_nobody(self, seconds: float = 90.0) -> list[str]:
        """Wait until no process of the run is left; kills and returns those that stay."""
        deadline = time.monotonic() + seconds
        while left := list(self.processes()):
            if time.monotonic() > deadline:
                for process, _ in left:
                    process.kill()
                return [command[:80] for _, command in left]
            time.sleep(0.2)
        return []

    def signs(self) -> tuple[int, ...]:
        """Modification times that change as long as the run makes progress."""
        paths = [self.log, self.root / "progress.json", *self.root.glob("round-*/*"), *self.root.glob("round-*/*/*")]
        return tuple(path.stat().st_mtime_ns for path in paths if path.exists())

    def wait(self, ready: Callable[[], object] = lambda: False) -> bool:
        """Wait until `ready` or the end of the run; returns False if the run is stuck."""
        last, moved = self.signs(), time.monotonic()
        while not self.over() and not ready():
            time.sleep(0.05)
            if (now := self.signs()) != last:
                last, moved = now, time.monotonic()
            elif time.monotonic() - moved > STUCK_AFTER:
                return False
        return True


def rows(root: Path) -> collections.Counter:
    """Every row of every table of a run, with the name of its table, and the loss of every step."""
    events = map(json.loads, (root / "metrics.jsonl").read_text().splitlines())
    steps = (event for event in events if "step" in event)
    found = collections.Counter(("losses", event["round"], event["step"], event["loss"]) for event in steps)
    for round_ in sorted(root.glob("round-*")):
        for pattern in TABLES:
            for path in sorted(round_.glob(f"{pattern}.parquet")):
                table = f"{round_.name}/{pattern}"
                found.update((table, *map(repr, row.items())) for row in pq.read_table(path).to_pylist())
    return found


def durations(root: Path) -> dict[tuple[int, str], float]:
    """Seconds of work in each stage of the undisturbed run, without the start of engines and workers."""
    found = {}
    for number, stage in STAGES:
        manifest = json.loads((root / f"round-{number:03d}/stages/{stage}.json").read_text())
        steps = manifest["figures"].get("seconds", {}).get("steps")
        found[number, stage] = steps or manifest["spent"].get(stage) or manifest["seconds"]
    return found


def verified(root: Path) -> bool:
    """Whether `mmst verify-run` finds no fault."""
    if not (root / "config.yaml").exists():
        return True
    command = [sys.executable, "-c", MMST, "verify-run", str(root)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        print(result.stdout + result.stderr, flush=True)
    return result.returncode == 0


class Tally:
    """Counts what the kills did."""

    def __init__(self) -> None:
        self.expected: collections.Counter = collections.Counter()
        self.kills = self.lost = self.doubled = self.stuck = self.faulty = 0

    def compare(self, root: Path) -> None:
        found = rows(root)
        self.lost += sum((self.expected - found).values())
        self.doubled += sum((found - self.expected).values())

    def __str__(self) -> str:
        faults = f", faulty {self.faulty}" if self.faulty else ""
        return f"kills {self.kills}, lost {self.lost}, doubled {self.doubled}, stuck {self.stuck}{faults}"


def disturb(directory: Path, config: Path, kills: list[Kill], tally: Tally) -> None:
    """Carry out the kills, run after run, until all are done or none can be."""
    waiting = list(kills)
    for number in itertools.count():
        run, before = Run(directory / f"run-{number}", config), len(waiting)
        run.start()
        for kill in _batch(waiting):
            waiting.remove(kill)
            if not carried_out(kill, run, tally):  # its victim came and went too fast; next time as soon as it is there
                waiting.append(replace(kill, after=0.0, at_work=False))
        if not finish(run, tally):
            return
        tally.compare(run.root)
        print(f"{run.root.name}: {run.starts} starts; {tally}", flush=True)
        if not waiting or len(waiting) == before:
            return


def _batch(waiting: list[Kill]) -> list[Kill]:
    """The kills that one run can take, in the order of its stages."""
    of_stage = {stage: [kill for kill in waiting if (kill.round, kill.stage) == stage][:PER_STAGE] for stage in STAGES}
    return [kill for stage in STAGES for kill in sorted(of_stage[stage], key=lambda kill: kill.at_work)]


def carried_out(kill: Kill, run: Run, tally: Tally, starts: int = 4) -> bool:
    """Whether the victim was killed in its stage, or right after a stage that ended too fast. A run that ended before
    is resumed first."""
    for _ in range(starts):
        if run.over() and not run.passed(kill):
            again(run, tally)
        if not run.wait(lambda: run.passed(kill) or run.due(kill)):
            tally.stuck += 1
            run.process.kill()
        if victim := run.due(kill) or (run.victim(kill.victim) if run.announced(kill) else None):
            time.sleep(kill.after)
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
                tally.kills += 1
                print(f"{run.root.name}: {kill}", flush=True)
                if kill.victim in ("driver", "raylet"):
                    run.wait()
                return True
        if run.passed(kill):
            return False
    return False


def again(run: Run, tally: Tally) -> None:
    """Resume a run that ended early; none of its processes may be left, and its files must be correct."""
    if run.process.wait() > 0:
        said = run.log.read_text().strip().splitlines()
        print(f"{run.root.name}: ended with {run.process.returncode}: {said[-1] if said else ''}", flush=True)
    if left := run.wait_for_nobody():
        tally.stuck += 1
        print(f"{run.root.name}: still there: {left}", flush=True)
    tally.faulty += not verified(run.root)
    run.start()


def finish(run: Run, tally: Tally, starts: int = 4) -> bool:
    """Wait for the end of a run, resuming it after kills that it did not survive."""
    for _ in range(starts):
        if not run.wait():
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
    parser.add_argument("directory", type=Path, help="where runs go; an undisturbed run in it is reused")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    directory = options.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "chaos.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    undisturbed = Run(directory / "undisturbed", config)
    tally = Tally()
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
