"""The dashboard on a large run: 100,000 problems × 8 solutions, every page requested over HTTP.

The rows are random, with the schema of the loop. Each address is requested once cold (the first time since the
dashboard started) and then REPEATS times. The table has the first and the median time, and the CPU seconds of the
dashboard per request, which are compared with the limit: the clock depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmst.config.file import build_config, dump_config
from mmst.files import write_json, write_text
from mmst.processes import process_stat
from mmst.records import FilterDecision, Solution
from mmst.runs.directory import FORMAT, RunDirectory
from mmst.runs.tables import schema_of

METHODS = ("cot", "pot")
SAMPLES = 4
PART = 256
"""Problems per part: 2,048 solutions, as in the loop."""
REPEATS = 5
ADDRESSES = {
    "overview (first view)": ("/", 1.0),
    "rounds": ("/big/", 1.0),
    "a round": ("/big/round/1", 1.0),
    "matrix, train problems": ("/big/matrix?set=train", 1.0),
    "solutions": ("/big/solutions", 0.3),
    "pot, timed out": ("/big/solutions?method=pot&status=timeout", 0.3),
    "pot, timed out, page 200": ("/big/solutions?method=pot&status=timeout&page=200", 0.3),
    "dropped as wrong": ("/big/solutions?kept=no&reason=wrong", 0.3),
    "one problem": ("/big/problem?id=p-077777", 0.3),
    "one solution": ("/big/solution?id=solve-1/p-077777/pot/3", 0.3),
    "problems": ("/big/problems", 0.3),
    "problems that only pot solved": ("/big/problems?solved=pot&difficulty=3", 0.3),
    "a word in questions": ("/big/problems?q=77777", 0.3),
    "a word in many texts": ("/big/solutions?q=v7 %3D 77", 0.3),
    "a word in many, pot, dropped": ("/big/solutions?method=pot&kept=no&q=v7 %3D 77", 0.3),
    "a word in no text": ("/big/solutions?q=marzipan", 1.0),  # reads all texts: 170 MB
}
"""Address of each page, and its limit in CPU seconds."""


def make_run(root: Path, problems: int) -> None:
    """Write a run whose round 1 has `problems` × methods × samples solutions with decisions."""
    run = RunDirectory(root)
    root.mkdir(parents=True)
    tree = {"name": "big", "problems": {"train": "x.jsonl"}, "model": {"path": "some/model"}}
    write_text(root / "config.yaml", dump_config(build_config(tree)))
    write_json(root / "run.json", {"format": FORMAT, "name": "big"})
    (root / "problems").mkdir()
    rng = random.Random(0)
    with (root / "problems" / "train.jsonl").open("w") as file:
        for i in range(problems):
            row = {"id": f"p-{i:06d}", "question": question(i), "answer": str(i % 97), "meta": {"steps": i % 5 + 1}}
            file.write(json.dumps(row) + "\n")
    write_json(root / "problems" / "manifest.json", {"parts": [{"path": "train.jsonl", "rows": problems}]})
    texts = [program(rng) for _ in range(20_000)]
    round_ = run.round(1)
    round_.solutions.mkdir(parents=True)
    parts, decisions = [], []
    for part, start in enumerate(range(0, problems, PART)):
        rows = list(solutions(range(start, min(start + PART, problems)), texts, rng))
        path = round_.solutions / f"part-{part:05d}.parquet"
        pq.write_table(table([row for row, _ in rows], Solution), path, compression="zstd")
        parts.append(round_.part(path, len(rows)))
        decisions.append(table([decision for _, decision in rows], FilterDecision))
    pq.write_table(pa.concat_tables(decisions), round_.decisions, compression="zstd", row_group_size=8192)
    count = problems * len(METHODS) * SAMPLES
    half = count // 2
    statuses = {m: {"ok": int(half * 0.9), "timeout": int(half * 0.1)} for m in METHODS}
    with round_.stage("generate") as commit:
        commit.parts, commit.figures = parts, {"solutions": count, "tokens": 100 * count, "statuses": statuses}
    with round_.stage("filter") as commit:
        commit.parts = [round_.part(round_.decisions, count)]
        reasons = {"kept": half, "wrong": count - half}
        commit.figures = {"solutions": count, "kept": half, "kept_by_method": {}, "reasons": reasons}


def question(number: int) -> str:
    """About as long as a word problem of a benchmark."""
    return f"Tom has {number} apples and gives {number % 7} to each of his friends. " * 3 + "How many are left?"


def program(rng: random.Random) -> str:
    """About as long as a model's program."""
    return "\n".join(f"v{i} = {rng.randrange(1000)} + {rng.randrange(1000)}" for i in range(14))


def solutions(numbers: range, texts: list[str], rng: random.Random) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The solutions of some problems, each with its decision."""
    for number in numbers:
        for method in METHODS:
            for sample in range(SAMPLES):
                place = {"solution_id": f"solve-1/p-{number:06d}/{method}/{sample}", "problem_id": f"p-{number:06d}"}
                right, status = rng.random() < 0.5, "timeout" if rng.random() < 0.1 else "ok"
                answer = str(number % 97 + (not right)) if status == "ok" else None
                asked = {"round": 1, "method": method, "sample": sample, "role": "solver", "turn": 0}
                made = {"checkpoint": "c" * 32, "seed": rng.getrandbits(63), "prompt": question(number)}
                text = {"text": texts[rng.randrange(len(texts))], "finish_reason": "stop", "tokens": 100}
                verdict = {"status": status, "answer": answer, "key": answer, "origin_id": None}
                reason = f"not_ok:{status}" if status != "ok" else "kept" if right else "wrong"
                label = {"label": str(number % 97), "label_key": str(number % 97), "label_source": "gold"}
                decision = {"method": method, "support": 0.5, "kept": reason == "kept", "reason": reason}
                yield place | asked | made | text | verdict, place | label | decision


def table(rows: list[dict[str, Any]], kind: type) -> pa.Table:
    """Rows with the schema of the loop."""
    return pa.Table.from_pylist(rows, schema_of(kind))


def request(address: str) -> float:
    """Seconds until the page has arrived. Raises HTTPError for an error page."""
    began = time.perf_counter()
    with urllib.request.urlopen(address.replace(" ", "%20")) as answer:
        answer.read()
    return time.perf_counter() - began


def main() -> int:
    """Print a table and JSON lines; returns 1 if a page exceeded its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "big"
        began = time.perf_counter()
        make_run(root, arguments.problems)
        print(f"{arguments.problems * len(METHODS) * SAMPLES:,} solutions made in {time.perf_counter() - began:.0f} s")
        line = [sys.executable, "-c", "from mmst.cli import main; main()", "dashboard", str(root), "--port", "0"]
        with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            try:
                server = process.stderr.readline().split()[2].rstrip("/")
                return measure(server, process.pid, arguments.problems)
            finally:
                process.terminate()


def measure(server: str, process: int, problems: int) -> int:
    """Request every address; returns 1 if one exceeded its limit."""
    failed = 0
    print(f"{'page':32}{'first, s':>10}{'median, s':>11}{'CPU, s':>14}{'limit, s':>12}")
    for name, (address, most) in ADDRESSES.items():
        first, before = request(server + address), process_stat(process)
        median = statistics.median(request(server + address) for _ in range(REPEATS))
        after = process_stat(process)
        assert before and after
        took = (after.cpu_seconds - before.cpu_seconds) / REPEATS
        failed |= took > most
        late = "  TOO SLOW" if took > most else ""
        print(f"{name:32}{first:10.3f}{median:11.3f}{took:14.3f}{most:12.1f}{late}", flush=True)
        row = {"benchmark": "dashboard", "page": name, "solutions": problems * len(METHODS) * SAMPLES}
        seconds = {"first": round(first, 4), "median": round(median, 4), "processor": round(took, 4), "at_most": most}
        print(json.dumps(row | seconds))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
