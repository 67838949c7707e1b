"""What `mmst.verify` promises to those who use nothing else of mmst."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import mmst.verify
from mmst.verify import Limits, compare, extract, run_program, verify, verify_many

ROOT = Path(__file__).parents[2]
FENCED = "```python\nprint(6 * 7)\n```\nOutput:\n```\n42\n```"


def script(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["mmst.verify", "mmst.verify.api", "mmst.verify.programs.reading"])
def test_the_examples_in_the_docstrings_run(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed


def test_every_public_name_is_there_and_others_are_not() -> None:
    assert all(getattr(mmst.verify, name).__doc__ for name in mmst.verify.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mmst.verify.nothing  # noqa: B018


def test_importing_is_quick_and_using_it_loads_nothing_heavy() -> None:
    heavy = "{'ray', 'torch', 'vllm', 'deepspeed', 'transformers', 'sympy', 'math_verify', 'numpy', 'pydantic'}"
    code = f"""
import sys, time
started = time.process_time()
import mmst.verify
seconds = time.process_time() - started
assert "mmst.verify.answers" not in sys.modules
from mmst.verify import verify
assert verify("x + y = 3\\nx - y = 1\\nans = x", "2", "eot").correct
assert verify("print(2)", "2", "pot").correct and verify("So 2.", "2").correct
print(seconds, *{heavy} & {{name.partition('.')[0] for name in sys.modules}})
"""
    seconds, *loaded = script(code).split()
    assert float(seconds) < 0.3
    assert not loaded


@pytest.mark.parametrize(
    ("text", "reference", "method", "status", "answer", "correct"),
    [
        ("12 * 3 = 36.\nThe answer is 36 pencils.", "36", "cot", "ok", "36 pencils", True),
        ("The answer is 35.", "#### 36", "cot", "ok", "35", False),
        ("I cannot tell.", "36", "cot", "no_answer", None, None),
        ("The answer is 36.", "", "cot", "undecided", "36", None),
        (FENCED, "42", "pot", "ok", "42", True),
        ("def solution():\n    return 41", "42", "pot", "ok", "41", False),
        ("x = 42", "42", "pot", "no_answer", None, None),
        ("print('nothing to see here')", "42", "pot", "ok", "nothing to see here", False),
        ("print(6 *", "42", "pot", "syntax_error", None, None),
        ("import os\nos.listdir('/')", "42", "pot", "forbidden", None, None),
        ("```\na * a = 49\nans = a\n```", "7", "eot", "ok", "7", True),
        ("a + b = 7\nans = a", "7", "eot", "underdetermined", None, None),
        ("a = 3 +\nans = a", "7", "eot", "syntax_error", None, None),
    ],
)
def test_a_text_is_verified_by_its_method_and_a_failure_is_not_wrong(
    text: str, reference: str, method: str, status: str, answer: str | None, correct: bool | None
) -> None:
    result = verify(text, reference, method)
    assert (result.status, result.answer, result.correct) == (status, answer, correct)
    assert result.reason


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(ValueError, match="method: 'prose' is not one of cot, pot, eot"):
        verify("5", "5", "prose")


def test_limits_are_those_of_the_call() -> None:
    limits = Limits(cpu_seconds=0.2)
    assert run_program("while True: pass", limits=limits).status == "timeout"
    assert verify("while True: pass", "1", "pot", limits=limits).status == "timeout"
    assert run_program("ans = sum(range(10**6))").status == "ok"


def test_answers_of_another_kind_are_not_extracted() -> None:
    assert extract("The answer is (B).", kind="choice") is not None
    assert extract("The answer is (B).", kind="number") is None


def test_many_come_in_order_and_reading_is_bounded() -> None:
    read = 0

    def items():
        nonlocal read
        for read in range(1, 2001):
            yield f"ans = {read}", str(read - read % 2), "pot"

    results = verify_many(items())
    assert next(results).correct is False
    assert read < 2000
    assert [result.correct for result in results] == [number % 2 == 0 for number in range(2, 2001)]


def test_threads_share_the_sandbox_and_the_symbolic_workers() -> None:
    found: dict[int, list[object]] = {}

    def work(number: int) -> None:
        ran = run_program(f"ans = sum({number} for _ in range(1))").answer
        found[number] = [ran, compare(f"\\sum_{{i=1}}^{{3}} {number} i", str(6 * number)).equal]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [str(number), True] for number in range(8)}


def test_a_forked_process_starts_its_own_and_nothing_is_left_at_exit() -> None:
    started = time.monotonic()
    code = """
import multiprocessing, mmst.verify.api as api
from mmst.verify import compare, run_program
def work(number):
    return run_program(f"ans = sum({number} for _ in range(1))").answer, compare("\\\\int_0^1 x dx", "1/2").equal
if __name__ == "__main__":
    own = work(1)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(own, *pool.map(work, [2, 3]), work(4))
    print(*api._shared.sandbox(api.Limits()).pids)
"""
    answers, pids = script(code).splitlines()
    assert answers == "('1', True) ('2', True) ('3', True) ('4', True)"
    assert pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.split())
    assert time.monotonic() - started < 100


def test_the_example_verifies_the_rollouts_that_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.jsonl"
    command = [sys.executable, str(ROOT / "examples" / "verify_rollouts.py"), str(path)]
    shown = [
        subprocess.run([*command, *option], capture_output=True, text=True, check=True, cwd=ROOT).stdout
        for option in (["--demo"], [])
    ]
    assert shown[0] == shown[1]
    rows = [line.replace("│", " ").split() for line in shown[0].splitlines()]
    assert ["cot", "2", "1", "1", "50.0%"] in rows
    assert ["pot", "2", "1", "0", "50.0%", "forbidden", "1"] in rows
    assert ["eot", "2", "1", "0", "50.0%", "underdetermined", "1"] in rows
