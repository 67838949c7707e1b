"""Equations that a real model wrote, solved by mmst and by the public scripts of EoTD.

Reads ../shared/data/real_outputs.gsm8k.even.jsonl, or --texts with rows {method, text, answer, reference_correct};
`reference_correct` is the verdict of the public scripts, which use SymPy throughout. Texts per core-second count the
CPU time of reading and solving without the sandbox; texts per second the wall time of everything, SymPy included.
Prints a table and a JSON line.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmst.verify.answers import Comparer
from mmst.verify.equations import Outcome, attempt, solve_text
from mmst.verify.programs import Sandbox

REAL = Path(__file__).resolve().parents[2] / "shared/data/real_outputs.gsm8k.even.jsonl"


def main() -> int:
    """Measure, then print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, default=REAL, help="JSON lines {method, text, answer, reference_correct}")
    parser.add_argument("--repeat", type=int, default=10, help="passes over the file without the sandbox")
    options = parser.parse_args()
    if not options.texts.exists():
        print(f"{options.texts}: no such file; name a file of texts with --texts", file=sys.stderr)
        return 2
    rows = [row for row in map(json.loads, options.texts.read_text("utf-8").splitlines()) if row["method"] == "eot"]
    core = time.process_time()
    quick = [attempt(row["text"]) for _ in range(options.repeat) for row in rows]
    core = time.process_time() - core
    with Sandbox() as sandbox, Comparer() as comparer:
        solve_text("x * x = 4\nans = x", sandbox.execute)  # warms SymPy
        wall = time.perf_counter()
        outcomes = [solve_text(row["text"], sandbox.execute) for row in rows]
        wall = time.perf_counter() - wall
        right = [
            outcome.answer is not None and comparer.compare(str(row["answer"]), outcome.answer).equal is True
            for row, outcome in zip(rows, outcomes, strict=True)
        ]
    public = [bool(row["reference_correct"]) for row in rows]
    figures = {
        "benchmark": "equations",
        "texts": len(rows),
        "right": sum(right),
        "right_public": sum(public),
        "lost": sum(p and not r for p, r in zip(public, right, strict=True)),
        "gained": sum(r and not p for p, r in zip(public, right, strict=True)),
        "without_sympy": sum(isinstance(found, Outcome) for found in quick) / len(quick),
        "per_core_second": len(quick) / core,
        "per_second_with_sympy": len(rows) / wall,
        "statuses": dict(Counter(outcome.status for outcome in outcomes).most_common()),
    }
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.3f}" if isinstance(value, float) else str(value))
    Console(width=140).print(table)
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
