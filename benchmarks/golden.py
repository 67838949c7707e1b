"""Does a change leave results as they were? `python benchmarks/golden.py [REVISION]`, 5 to 10 minutes on 2 cores.

Makes the micro run (`tests/micro.py`) with the code of a revision (default: 4f68360, before the restructure) and with
the working tree, on this machine, and compares solutions, filter decisions, translations, pool, evaluation answers and
training losses row for row. Files and columns that were renamed since are compared under their new names; columns that
only one side has are listed. Exits with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).resolve().parents[1]
TABLES = {
    "solutions": ("solutions/part-*.parquet",),
    "decisions": ("decisions.parquet", "fates.parquet"),
    "translations": ("translations/part-*.parquet",),
    "decisions on translations": ("translations/decisions.parquet", "translations/fates.parquet"),
    "pool": ("pool.parquet",),
    "evaluation": ("evaluation/*.parquet",),
}
"""Globs below a round, the present name first."""
NOT_COMPARED = {"checkpoint"}
"""Columns that hold a hash of weight files, whose metadata may differ."""

Rows = list[dict[str, Any]]


def main() -> None:
    """Run twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", nargs="?", default="4f68360")
    revision = parser.parse_args().revision
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        tree = scratch / "tree"
        subprocess.run(["git", "-C", str(ROOT), "archive", "-o", f"{tree}.tar", revision], check=True)
        with tarfile.open(f"{tree}.tar") as tar:
            tar.extractall(tree, filter="data")
        before, after = (micro_run(code, scratch / label) for code, label in ((tree, "before"), (ROOT, "after")))
        sys.exit(not all([compare(before, after), compare_losses(before, after)]))


def micro_run(code: Path, directory: Path) -> Path:
    """The run directory of a micro run with the code of a checkout."""
    sys.path.insert(0, str(ROOT / "tests"))
    from micro import MICRO

    config = directory.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(MICRO))
    command = [sys.executable, "-c", "from mmst.cli import main; main()", "run", str(config), "--run-dir"]
    environment = {**os.environ, "PYTHONPATH": str(code)}
    subprocess.run([*command, str(directory)], check=True, env=environment, cwd=directory.parent)
    return directory


def compare(before: Path, after: Path) -> bool:
    """Whether all tables of two runs hold the same rows; prints a line per table."""
    rounds = sorted(path.name for path in after.glob("round-*"))
    same = [
        _same(f"{round_} {name}", *(_rows(run / round_, globs) for run in (before, after)))
        for round_ in rounds
        for name, globs in TABLES.items()
    ]
    return all(same)


def compare_losses(before: Path, after: Path) -> bool:
    """Whether the losses of all training steps are the same."""

    def losses(run: Path) -> Rows:
        points = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        return [{k: p[k] for k in ("round", "step", "loss")} for p in points if "loss" in p and "step" in p]

    return _same("losses", losses(before), losses(after))


def _rows(directory: Path, globs: tuple[str, ...]) -> Rows:
    files = [path for glob in globs for path in sorted(directory.glob(glob))]
    return [row for path in files for row in pq.read_table(path).to_pylist()]


def _same(name: str, before: Rows, after: Rows) -> bool:
    if not before and not after:
        return True
    columns = [set(rows[0]) if rows else set() for rows in (before, after)]
    common, alone = (columns[0] & columns[1]) - NOT_COMPARED, sorted(columns[0] ^ columns[1])
    old, new = ([{key: row[key] for key in common} for row in rows] for rows in (before, after))
    note = f"; columns on one side only: {', '.join(alone)}" if alone else ""
    print(f"{name}: {len(old)} rows before, {len(new)} after, {'equal' if old == new else 'DIFFERENT'}{note}")
    return old == new


if __name__ == "__main__":
    main()
