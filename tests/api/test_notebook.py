"""In a host process with a running event loop, as a notebook has one: train, interrupt, resume, evaluate, solve."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from micro import MICRO

HOST = """
import asyncio, json, os, signal, sys, threading, time
import mmst

config, root = json.loads(sys.argv[1]), sys.argv[2]

def interrupt_when_round_1_starts():
    while not os.path.exists(f"{root}/round-000/stages/promote.json"):
        time.sleep(0.1)
    time.sleep(2)
    os.kill(os.getpid(), signal.SIGINT)

async def cells():
    threading.Thread(target=interrupt_when_round_1_starts, daemon=True).start()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        mmst.self_train(config, root, progress=False)
        interrupted = False
    except KeyboardInterrupt:
        interrupted = True
    import ray
    clean = not ray.is_initialized()
    run = mmst.self_train(config, root, progress=False)
    settings = {"sampling.max_tokens": 64}
    tests = f"{root}/problems/test.jsonl"
    found = mmst.evaluate(run.checkpoint, tests, samples=2, settings=settings, progress=False)
    question = found.rows[0].prompt.splitlines()[0]
    solved = mmst.solve(question, run.checkpoint, samples=2, settings=settings, progress=False)
    same = handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    await asyncio.sleep(0)
    return {
        "interrupted": interrupted, "clean": clean, "same": same, "rounds": [r.number for r in run.rounds],
        "accuracy": run.accuracy, "evaluated": found.accuracy, "rows": len(found.rows), "n": found.n,
        "solutions": len(solved.solutions), "votes": solved.votes, "samples": solved.samples,
        "faults": [str(fault) for fault in mmst.verify_run(root).faults],
    }

print(json.dumps(asyncio.run(cells())))
"""


@pytest.mark.long
@pytest.mark.e2e
@pytest.mark.timeout(1200)
def test_a_notebook_trains_interrupts_resumes_and_uses_the_model(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOST, json.dumps(MICRO), str(tmp_path / "run")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-4000:]
    assert len(result.stdout.splitlines()) == 1, "progress=False printed something"
    found = json.loads(result.stdout)
    assert (found["interrupted"], found["clean"], found["same"]) == (True, True, True)
    assert found["rounds"] == [0, 1]
    assert found["faults"] == []
    assert (found["n"], found["rows"]) == (40, 40 * 2 * 2)
    greedy = {name: found["accuracy"][name] for name in ("cot", "pot")}
    assert greedy == {name: found["evaluated"][name] for name in ("cot", "pot")}
    assert found["solutions"] == 4
    assert sum(found["votes"].values()) == found["samples"]
