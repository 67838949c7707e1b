"""Time of each stage and memory of a whole run: `python benchmarks/loop.py [CONFIG]`.

Runs the configuration once in a temporary directory. Memory is the proportional set size (shared pages counted once) of
all processes of the run, sampled every two seconds; the sum of resident sizes, which counts shared pages several times,
is reported beside it. Times are those of the stage manifests.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from mmst.runs.directory import RunDirectory
from mmst.runs.status import status_of

ROOT = Path(__file__).resolve().parents[1]
GIB = 2**30


def memory_of(process: psutil.Process, known: set[psutil.Process]) -> tuple[int, int]:
    """PSS and RSS of a process and all its descendants, in bytes. `known` keeps those that lost their parent."""
    known.add(process)
    for member in list(known):
        try:
            known.update(member.children(recursive=True))
        except psutil.NoSuchProcess:
            known.discard(member)
    proportional = resident = 0
    for member in list(known):
        try:
            info = member.memory_full_info()
        except psutil.Error:
            continue
        proportional, resident = proportional + info.pss, resident + info.rss
    return proportional, resident


def measure(config: Path, root: Path) -> dict:
    """Run the loop and return the figures."""
    command = [sys.executable, "-c", "from mmst.cli import main; main()", "run", str(config), "--run-dir", str(root)]
    start, peak, resident, known = time.monotonic(), 0, 0, set()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            now, now_resident = memory_of(watched, known)
            peak, resident = max(peak, now), max(resident, now_resident)
            time.sleep(2)
    if process.returncode:
        raise SystemExit(f"the run failed with exit code {process.returncode}")
    rounds = []
    for row in status_of(RunDirectory(root))["rounds"][1:]:
        total = sum(row["seconds"].values())
        worked = row["seconds"].get("generate", 0) + row["seconds"].get("train", 0)
        rounds.append({"round": row["round"], "seconds": row["seconds"], "outside": round(1 - worked / total, 3)})
    return {
        "benchmark": "loop",
        "config": config.name,
        "seconds": round(time.monotonic() - start, 1),
        "peak_pss_gib": round(peak / GIB, 2),
        "peak_rss_gib": round(resident / GIB, 2),
        "rounds": rounds,
    }


def main() -> None:
    """Measure and print."""
    config = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "configs" / "tiny.yaml"
    with tempfile.TemporaryDirectory() as directory:
        figures = measure(config.resolve(), Path(directory) / "run")
    table = Table(title=f"{config.name}: {figures['seconds']:.0f} s, peak {figures['peak_pss_gib']:.1f} GiB")
    stages = list(dict.fromkeys(stage for r in figures["rounds"] for stage in r["seconds"]))
    for column in ("round", *(f"{stage}, s" for stage in stages), "outside generate and train"):
        table.add_column(column, justify="right")
    for r in figures["rounds"]:
        seconds = [f"{r['seconds'].get(stage, 0):.1f}" for stage in stages]
        table.add_row(str(r["round"]), *seconds, f"{r['outside']:.0%}")
    Console().print(table)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
