"""A run with an open dashboard, compared with the same run alone: real runs of the smallest configuration, in turn.

The viewer does what a browser does: it listens for events and fetches the run's page at each one. Wall time on a busy
machine depends on other processes, so the dashboard's CPU time is reported beside the ratio: it is the most that a run
loses, since the dashboard yields to a run (`nice`).
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from micro import MICRO  # noqa: E402

from dashboard import busy  # noqa: E402

MMST = [sys.executable, "-c", "from mmst.cli import main; main()"]


@contextlib.contextmanager
def watched(root: Path) -> Iterator[dict[str, float]]:
    """Serve the dashboard of a run to a viewer. Yields figures, complete after the block: `looks`, CPU time."""
    figures: dict[str, float] = {"looks": 0}
    with subprocess.Popen([*MMST, "dashboard", str(root), "--port", "0"], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        address = server.stderr.readline().split()[2]

        def look() -> None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}events") as news:
                for line in news:
                    if line.startswith(b"data"):
                        with urllib.request.urlopen(f"{address}{root.name}/") as page:
                            page.read()
                        figures["looks"] += 1

        threading.Thread(target=look, daemon=True).start()
        try:
            yield figures
        finally:
            figures["processor"] = round(busy(server.pid), 2)
            server.terminate()


def run(root: Path, config: Path, watch: bool) -> dict[str, Any]:
    """Run once. Returns the seconds of the whole run, of its stages, and of the dashboard if there is one."""
    root.mkdir()
    with watched(root) if watch else contextlib.nullcontext({}) as figures:
        began = time.monotonic()
        subprocess.run([*MMST, "run", str(config), "--run-dir", str(root)], stdout=subprocess.DEVNULL, check=True)
        whole = time.monotonic() - began
    rounds = [json.loads(line) for line in (root / "rounds.jsonl").read_text().splitlines()]
    stages = sum(sum(row["seconds"].values()) for row in rounds)
    return {"watched": watch, "whole": round(whole, 1), "stages": round(stages, 1), **figures}


def main() -> None:
    """Print a line for each run, and the ratio of watched to unwatched ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1)
    pairs = parser.parse_args().pairs
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "micro.yaml"
        config.write_text(yaml.safe_dump(MICRO))
        for number in range(2 * pairs):
            rows.append(run(Path(directory) / f"run-{number}", config, watch=number % 2 == 0))
            print(json.dumps({"benchmark": "watched", **rows[-1]}), flush=True)
    for what in ("whole", "stages"):
        seconds = [sum(row[what] for row in rows if row["watched"] == watch) / pairs for watch in (True, False)]
        print(f"{what}: {seconds[0]:.1f} s watched, {seconds[1]:.1f} s alone, ratio {seconds[0] / seconds[1]:.3f}")


if __name__ == "__main__":
    main()
