"""Memory and time of the driver: verify, filter and pool over recorded solutions, without a model.

`python benchmarks/memory.py [--sizes 10000 100000 1000000]`. Each size has its own process: problems × 8 samples
(4 of words, 4 of programs) are verified in order of arrival, written as parts, filtered and made into a pool. Reported
are peak resident memory (`VmHWM`) and CPU seconds, without imports. The methods verify by themselves, programs on the
fast path of the sandbox. Prints a table and JSON lines.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmst.config.file import build_config
from mmst.methods import METHODS, methods_named
from mmst.methods.prompts import PromptFormat
from mmst.progress import Reporter
from mmst.records import Completion, Problem, Solution, TrainingRow
from mmst.runs.directory import RunDirectory
from mmst.runs.tables import write_table
from mmst.stages.context import StageContext
from mmst.stages.filter import filter_solutions, read_kept
from mmst.stages.train import pool_rows
from mmst.verify.programs import Sandbox

SAMPLES, PART = 8, 2048


def peak() -> float:
    """Peak resident memory of this process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def solutions(problems: list[Problem], sandbox: Sandbox) -> Iterator[Solution]:
    """Eight verified solutions of each problem, right three times out of four."""
    for problem in problems:
        a, b = problem.meta["numbers"]
        draw = random.Random(problem.id)
        for sample in range(SAMPLES):
            name, c = ("cot", "pot")[sample % 2], int(b) + (draw.random() < 0.25)
            steps = "".join(f"There are {n} + {c} = {n + c} of them on day {n}. " for n in range(sample + 3))
            texts = {
                "cot": f"{steps}So {a} + {c} = {int(a) + c}.\nThe answer is {int(a) + c}.",
                "pot": f"first = {a}\nsecond = {c}\nspare = {sample}\nprint(first + second)",
            }
            verdict = METHODS[name].read(Completion(texts[name], "stop", 60), sandbox)
            yield Solution(
                solution_id=f"solve-1/{problem.id}/{name}/{sample // 2}", problem_id=problem.id, round=1, method=name,
                sample=sample // 2, checkpoint="c" * 32, seed=sample, prompt=problem.question, text=texts[name],
                finish_reason="stop", tokens=60, status=verdict.status, answer=verdict.answer, key=verdict.key,
            )  # fmt: skip


def one(count: int) -> dict[str, float]:
    """Verify, filter and pool `count` solutions in this process."""
    made = random.Random(0)
    train = []
    for number in range(count // SAMPLES):
        a, b = made.randrange(1000), made.randrange(1000)
        question = f"{a} birds sit on a roof, and {b} more come. How many are there then?"
        train.append(Problem(id=f"p{number:07d}", question=question, answer=str(a + b), meta={"numbers": [a, b]}))
    config = build_config({"problems": {"train": "recorded.jsonl"}})
    with tempfile.TemporaryDirectory() as directory, Sandbox(allow_weak=True) as sandbox:
        run = RunDirectory(Path(directory))
        round_, before = run.round(1), peak()
        methods = methods_named(["cot", "pot"])
        context = StageContext(config, run, {"train": train}, methods, None, Reporter())  # type: ignore[arg-type]
        seconds, wall = {}, time.process_time()
        with round_.stage("generate") as commit:
            for place in range(0, len(train), PART // SAMPLES):
                path = round_.solutions / f"part-{place:07d}.parquet"
                rows = write_table(path, Solution, solutions(train[place : place + PART // SAMPLES], sandbox))
                commit.parts.append(round_.part(path, rows))
        seconds["verifier"], wall = time.process_time() - wall, time.process_time()
        filter_solutions(context, round_)
        seconds["filter"], wall = time.process_time() - wall, time.process_time()
        questions = {problem.id: problem.question for problem in train}
        kept = (("native", row) for row in read_kept(round_, "filter"))
        rows = pool_rows(kept, questions, PromptFormat(), False, False)
        pool = write_table(round_.pool, TrainingRow, rows)
        seconds["pool"] = time.process_time() - wall
        count_kept = round_.figures("filter")["kept"]
        assert pool == count_kept
    seconds = {f"{name}_us": round(1e6 * value / count, 1) for name, value in seconds.items()}
    return {"solutions": count, "kept": count_kept, "problems_mib": round(before), "peak_mib": round(peak()), **seconds}


def main() -> int:
    """Measure each size in its own process; print a table, then JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one)))
        return 0
    lines = [
        subprocess.run(
            [sys.executable, __file__, "--one", str(size)], check=True, capture_output=True, text=True
        ).stdout
        for size in options.sizes
    ]
    figures = [json.loads(line.splitlines()[-1]) for line in lines]
    table = Table(*figures[0])
    for figure in figures:
        table.add_row(*(f"{value:,}" for value in figure.values()))
    Console(width=120).print(table)
    print("".join(lines), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
