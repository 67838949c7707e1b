"""What running a program promises to those who ask for it."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmst.verify.programs import Limits, Sandbox, SandboxUnavailable, values_by_line

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(workers=2) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def forked() -> Iterator[Sandbox]:
    with Sandbox(fast=False) as sandbox:
        yield sandbox


CONVENTIONS = [
    ("ans = 3 * 6", "ok", "18", "int"),
    ("answer = 7 / 2", "ok", "3.5", "float"),
    ("ans = 1\nanswer = 2", "ok", "1", "int"),
    ("ans = None\nanswer = 2", "ok", "2", "int"),
    ("ans = 5\nprint(6)", "ok", "5", "int"),
    ("print(5)\nprint(6)\nprint()", "ok", "6", "printed"),
    ("print('x =', 6, 7.5)", "ok", "x = 6 7.5", "printed"),
    ("def solution():\n    return 18", "ok", "18", "int"),
    ("def solution():\n    print(18)", "ok", "18", "printed"),
    ("def solution():\n    return 18\nprint(solution())", "ok", "18", "printed"),
    ("def solution():\n    return 18\nans = 3", "ok", "3", "int"),
    ("def solution(n):\n    return n", "runtime_error", None, None),
    ("def other():\n    return 18", "no_answer", None, None),
    ("x = 18", "no_answer", None, None),
    ("ans = True", "ok", "True", "bool"),
    ("ans = 'eighteen'", "ok", "eighteen", "str"),
    ("ans = 7 > 5 > 3", "ok", "True", "bool"),
    ("ans = [1.5, 2]", "ok", "[1.5, 2]", "list"),
    ("ans = (1, 'a')", "ok", "(1, 'a')", "tuple"),
    ("ans = {1, 1}", "ok", "{1}", "set"),
    ("ans = 0.1 + 0.2", "ok", "0.30000000000000004", "float"),
    ("ans = 10 ** 20", "ok", "100000000000000000000", "int"),
    ("ans = float('nan')", "ok", "nan", "float"),
    ("ans = 3 + 4j", "ok", "(3+4j)", "complex"),
    ("from fractions import Fraction\nans = Fraction(6, 8)", "ok", "3/4", "fraction"),
    ("from decimal import Decimal\nans = Decimal('2.50')", "ok", "2.50", "decimal"),
    ("import numpy\nans = numpy.float64(2.5)", "ok", "2.5", "float"),
    ("from sympy import Rational, symbols\nans = symbols('x') ** 2 + Rational(1, 2)", "ok", "x**2 + 1/2", "symbolic"),
    ("if __name__ == '__main__':\n    ans = 4", "ok", "4", "int"),
    ("exit()", "no_answer", None, None),
    ("print(3)\nraise SystemExit", "ok", "3", "printed"),
    ("ans = print", "ok", "<built-in function print>", "object"),
    ("1 / 0", "runtime_error", None, None),
    ("x = ", "syntax_error", None, None),
    ("return 5", "syntax_error", None, None),
]


@pytest.mark.parametrize("fast", [True, False], ids=["either path", "forked path"])
@pytest.mark.parametrize(("program", "status", "answer", "kind"), CONVENTIONS, ids=lambda value: str(value)[:40])
def test_the_answer_is_what_was_computed_with_its_type(
    box: Sandbox, forked: Sandbox, fast: bool, program: str, status: str, answer: str | None, kind: str | None
) -> None:
    seen = (box if fast else forked).execute(program)
    assert (seen.status, seen.answer, seen.kind) == (status, answer, kind), seen.stderr


def test_an_error_is_told_as_python_tells_it_without_our_own_frames(forked: Sandbox) -> None:
    seen = forked.execute("def f(x):\n    return 1 / x\nf(0)")
    assert seen.stderr == (
        'Traceback (most recent call last):\n  File "<program>", line 3, in <module>\n'
        '  File "<program>", line 2, in f\nZeroDivisionError: division by zero\n'
    )


def test_real_programs_give_what_was_recorded(box: Sandbox, real_rows: list[dict[str, Any]]) -> None:
    executions = list(box.execute_many(row["program"] for row in real_rows))
    different = [
        (row["program"], execution.stdout)
        for row, execution in zip(real_rows, executions, strict=True)
        if execution.stdout.rstrip("\n") != row["expected_output"].rstrip("\n")
    ]
    # The one that differs fails, and its exception's last line was recorded as if printed.
    assert len(different) <= 1
    assert sum(execution.path == "fast" for execution in executions) / len(executions) > 0.98


def test_real_programs_give_the_same_on_both_paths(real_programs: list[str]) -> None:
    with Sandbox(workers=2, cross_check=1.0) as sandbox:
        executions = list(sandbox.execute_many(real_programs))
        counts = sandbox.counts
    assert counts.cross_checked > 0.98 * len(executions)
    assert counts.differences == 0


SYMBOLIC = {
    "solve([x + y - 10, x - y - 2], [x, y])": "{x: 6, y: 4}",
    "integrate(x * exp(x), x)": "(x - 1)*exp(x)",
    "integrate(1 / (x**2 + 1), (x, 0, oo))": "pi/2",
    "dsolve(Function('f')(x).diff(x) - Function('f')(x))": "Eq(f(x), C1*exp(x))",
    "nsolve(cos(x) - x, x, 1)": "0.739085133215161",
    "solveset(x**2 - 4, x, S.Reals)": "{-2, 2}",
    "reduce_inequalities([x**2 < 4], x)": "(-2 < x) & (x < 2)",
    "Matrix([[2, 1], [1, 3]]).inv()": "Matrix([[3/5, -1/5], [-1/5, 2/5]])",
    "lambdify(x, x**2)(3)": "9",
    "summation(1 / x**2, (x, 1, oo))": "pi**2/6",
    "rsolve(Function('g')(x + 1) - 2 * Function('g')(x), Function('g')(x))": "2**x*C0",
    "nsimplify(0.75)": "3/4",
    "latex(x**2 / 2)": "\\frac{x^{2}}{2}",
    "mpmath.sqrt(4)": "2.0",
}


def test_sympy_finds_all_that_it_imports_late(forked: Sandbox) -> None:
    start = "import mpmath\nfrom sympy import *\nx, y = symbols('x y')\n"
    seen = {expression: forked.execute(f"{start}print({expression})") for expression in SYMBOLIC}
    assert {expression: (done.stdout or done.stderr).strip() for expression, done in seen.items()} == SYMBOLIC


def test_executions_come_in_order_while_programs_are_still_being_read(box: Sandbox) -> None:
    read = 0

    def programs() -> Iterator[str]:
        nonlocal read
        for read in range(1, 1001):
            yield f"ans = {read}" if read % 3 else f"ans = sum([{read} for _ in range(1)])"

    executions = box.execute_many(programs())
    first = next(executions)
    assert first.answer == "1"
    assert read < 1000
    assert [execution.answer for execution in executions] == [str(number) for number in range(2, 1001)]


def test_many_threads_may_ask_at_once(box: Sandbox) -> None:
    answers: dict[int, str | None] = {}

    def ask(number: int) -> None:
        answers[number] = box.execute(f"ans = sum({number} for _ in range(1))").answer

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: str(number) for number in range(32)}


def test_a_parent_that_died_is_replaced(forked: Sandbox) -> None:
    forked.execute("ans = 1")
    for pid in forked.pids:
        os.kill(pid, signal.SIGKILL)
    assert forked.execute("ans = 2").answer == "2"


def _gone(pid: int, seconds: float = 10) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    return bool(select.select([handle], [], [], seconds)[0])


def test_closing_ends_every_process_and_leaves_no_descriptor() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    sandbox = Sandbox()
    pids = sandbox.pids
    assert pids
    sandbox.close()
    sandbox.close()
    assert all(_gone(pid) for pid in pids)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_nothing_outlives_a_caller_that_is_killed() -> None:
    script = """
import sys, threading
from mmst.verify.programs import Sandbox
sandbox = Sandbox()
threading.Thread(target=sandbox.execute, args=("print(1, flush=True)\\nimport time\\ntime.sleep(14)",)).start()
children = ""
while not children:
    for pid in sandbox.pids:
        children = open(f"/proc/{pid}/task/{pid}/children").read()
print(*sandbox.pids, children, flush=True)
sys.stdin.read()
"""
    caller = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT, text=True
    )
    assert caller.stdout is not None
    pids = [int(word) for word in caller.stdout.readline().split()]
    assert len(pids) == 2
    caller.kill()
    caller.wait()
    assert all(_gone(pid) for pid in pids)


def test_programs_are_not_run_where_nothing_confines_them() -> None:
    with pytest.raises(SandboxUnavailable, match=r"a program could read a file.*allow_weak"):
        Sandbox(layers=())
    with Sandbox(layers=(), allow_weak=True) as sandbox:
        assert not sandbox.protection.whole
        assert "NOT PROTECTED" in sandbox.protection.describe()
        assert sandbox.execute("ans = sum([1, 2] for _ in [])").status == "ok"


def test_what_is_active_fits_on_one_line(box: Sandbox) -> None:
    described = box.protection.describe()
    assert "self-test passed" in described
    assert "seccomp" in described
    assert "\n" not in described


def test_the_calling_process_is_never_forked() -> None:
    forked = []
    os.register_at_fork(before=lambda: forked.append(1))
    with Sandbox() as sandbox:
        sandbox.execute("ans = [1 for _ in range(3)]")
    assert not forked


def test_lower_limits_of_the_machine_are_kept() -> None:
    script = "from mmst.verify.programs import Sandbox\nprint(Sandbox().execute('ans = [1 for _ in [2]]'))"
    lowered = 'ulimit -s 4096; ulimit -n 128; ulimit -v 900000; exec "$@"'
    command = ["bash", "-c", lowered, "bash", sys.executable, "-c", script]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert "status='ok'" in done.stdout, done.stderr


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_limits_must_be_greater_than_0_and_finite(seconds: float) -> None:
    with pytest.raises(ValueError, match="limits: cpu_seconds must be greater than 0 and finite, not"):
        Limits(cpu_seconds=seconds)


def test_the_fast_path_parses_hostile_text_on_a_small_stack() -> None:
    texts = ["-" * 9000 + "1", "not " * 900 + "1", "a" + ".b" * 1900, "x = " + "+".join("1" * 1900), "lambda:" * 550]
    texts += ["f" + "()" * 1900, "x=" * 1900 + "1", "(" * 200 + ")" * 200, "\0", "\ud800", "x = '\\N{BULLET}'"]
    seen: list[object] = []
    threading.stack_size(512 << 10)
    try:
        thread = threading.Thread(target=lambda: seen.extend(map(values_by_line, texts)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(0)
    assert len(seen) == len(texts)


def test_the_fast_path_bounds_what_is_printed_and_traced() -> None:
    """2,300 characters that print 300 MB are left to the sandbox; the process may take 256 MiB."""
    lines = ["s = " + "'x' + " * 20 + "''", *["s = s + s"] * 5, f"many = [{'s, ' * 50}]"]
    lines += ["def f():", *[f"    print({'many, ' * 150})"] * 2, "def g():", *["    f()"] * 9, *["g()"] * 9]
    script = (
        "import resource, sys\n"
        "from mmst.verify.programs import straightline\n"
        "resource.setrlimit(resource.RLIMIT_AS, (256 << 20,) * 2)\n"
        "assert straightline.run(sys.argv[1]) is None\n"
        "assert straightline.values_by_line(sys.argv[1]) is None\n"
        "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    )
    command = [sys.executable, "-c", script, "\n".join(lines)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60_000, "KiB at the most"
    assert values_by_line("\n".join(lines[:6])) is not None


@pytest.mark.skipif(os.getuid() != 0, reason="the whole suite is already run by a plain user")
@pytest.mark.skipif(not Path("/usr/bin/python3.11").exists(), reason="a plain user cannot reach this interpreter")
def test_a_plain_user_without_privileges_is_protected_too() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(CHECKOUT / "mmst" / "verify" / "programs", folder / "mmst" / "verify" / "programs")
        for file in ("__init__.py", "errors.py", "verify/__init__.py"):
            shutil.copy(CHECKOUT / "mmst" / file, folder / "mmst" / file)
        script = "from mmst.verify.programs import Sandbox\nprint(Sandbox().protection.describe())"
        done = subprocess.run(
            ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
             "/usr/bin/python3.11", "-c", script],
            cwd=folder, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert "self-test passed" in done.stdout, done.stderr


# Value by line -------------------------------------------------------------------------------------------------------


def test_values_are_given_line_by_line_in_the_order_of_running() -> None:
    program = "def f(a):\n    b = a * 2\n    return b + 1\nx = f(3)\nx += 1\ny, z = x, 2.5\nprint(x, y)\nans = y / z"
    assert values_by_line(program) == [
        (2, "b", "6"),
        (3, "b + 1", "7"),
        (4, "x", "7"),
        (5, "x", "8"),
        (6, "y", "8"),
        (6, "z", "2.5"),
        (7, "print(x, y)", "8 8"),
        (8, "ans", "3.2"),
    ]


@pytest.mark.parametrize("program", ["for i in range(3): pass", "x = 1 / 0", "x =", "import os", "x = [i for i in y]"])
def test_there_are_no_values_by_line_unless_straight_line(program: str) -> None:
    assert values_by_line(program) is None
