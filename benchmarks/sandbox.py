"""Programs per core-second on each path of the sandbox, and in a fresh interpreter per program.

Runs real programs with recorded outputs (../shared/data/real_programs.gsm8k.even.jsonl, or --programs with rows
{program, expected_output}). Core-seconds are CPU time in steady state of the caller, the warm parents and their
children, without starting the parents. The fresh interpreters, whose start counts, run a sample. Prints a table and
JSON lines.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mmst.processes import process_stat
from mmst.verify.programs import Sandbox

Row = dict[str, Any]
REAL = Path(__file__).resolve().parents[2] / "shared/data/real_programs.gsm8k.even.jsonl"


def parents_seconds(sandbox: Sandbox) -> float:
    """CPU time of the warm parents and of the children they have waited for."""
    stats = (process_stat(pid) for pid in sandbox.pids)
    return sum(stat.cpu_seconds + stat.children_cpu_seconds for stat in stats if stat)


def in_sandbox(name: str, rows: list[Row], repeat: int, **options: Any) -> Row:
    """Run all programs `repeat` times in a sandbox whose parents are warm."""
    programs = [row["program"] for row in rows]
    with Sandbox(**options) as sandbox:
        outputs = [execution.stdout for execution in sandbox.execute_many(programs)]
        core, wall = time.process_time() + parents_seconds(sandbox), time.perf_counter()
        paths = Counter(execution.path for _ in range(repeat) for execution in sandbox.execute_many(programs))
        wall, core = time.perf_counter() - wall, time.process_time() + parents_seconds(sandbox) - core
        counts = sandbox.counts
    return {
        "way": name,
        "programs": len(rows),
        "per_core_second": repeat * len(rows) / core,
        "per_second": repeat * len(rows) / wall,
        "as_recorded": as_recorded(rows, outputs),
        "share": {path: count / paths.total() for path, count in sorted(paths.items())},
        "cross_checked": counts.cross_checked,
        "differences": counts.differences,
    }


def fresh_interpreter(name: str, rows: list[Row]) -> Row:
    """Run each program by `python -I -c`, one after the other."""
    used, own, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time(), time.perf_counter()
    outputs = [
        subprocess.run([sys.executable, "-I", "-c", row["program"]], capture_output=True, text=True, check=False).stdout
        for row in rows
    ]
    wall, own, now = time.perf_counter() - wall, time.process_time() - own, resource.getrusage(resource.RUSAGE_CHILDREN)
    core = own + now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime
    return {
        "way": name,
        "programs": len(rows),
        "per_core_second": len(rows) / core,
        "per_second": len(rows) / wall,
        "as_recorded": as_recorded(rows, outputs),
    }


def as_recorded(rows: Iterable[Row], outputs: Iterable[str]) -> int:
    """How many programs printed the recorded output, up to a final line end."""
    return sum(
        output.rstrip("\n") == row["expected_output"].rstrip("\n") for row, output in zip(rows, outputs, strict=True)
    )


def measured(rows: list[Row], repeat: int, sample: int) -> Iterable[Row]:
    """The figures of each way to run the programs."""
    symbolic = [row for row in rows if "sympy" in row["program"]]
    plain = [row for row in rows if "sympy" not in row["program"]]
    yield in_sandbox("mmst, all but SymPy", plain, repeat)
    yield in_sandbox("mmst, all but SymPy, without cross-check", plain, repeat, cross_check=0.0)
    yield in_sandbox("mmst, forked only, all but SymPy", plain, 1, fast=False)
    yield in_sandbox("mmst, SymPy", symbolic, 10)
    yield fresh_interpreter("fresh interpreter, all but SymPy", plain[:: max(1, len(plain) // sample)])
    yield fresh_interpreter("fresh interpreter, SymPy", symbolic)


def main() -> int:
    """Measure, then print a table and JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, default=REAL, help="JSON lines {program, expected_output}")
    parser.add_argument("--repeat", type=int, default=5, help="passes over the file on the fast path")
    parser.add_argument("--sample", type=int, default=100, help="programs for the fresh interpreter")
    options = parser.parse_args()
    if not options.programs.exists():
        print(f"{options.programs}: no such file; name a file of programs with --programs", file=sys.stderr)
        return 2
    rows = [json.loads(line) for line in options.programs.read_text("utf-8").splitlines()]
    figures = list(measured(rows, options.repeat, options.sample))
    table = Table("way", "programs", "per core-second", "per second", "as recorded", "share of each path")
    for figure in figures:
        share = ", ".join(f"{path} {part:.1%}" for path, part in figure.get("share", {}).items())
        rates = (f"{figure['per_core_second']:,.0f}", f"{figure['per_second']:,.0f}")
        table.add_row(figure["way"], str(figure["programs"]), *rates, str(figure["as_recorded"]), share)
    Console(width=140).print(table)
    for figure in figures:
        print(json.dumps(figure))
    return 0


if __name__ == "__main__":
    sys.exit(main())
