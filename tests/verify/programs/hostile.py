"""Hostile programs, one promise each. Every one is bounded, so that it does no harm where the sandbox fails: loops
stop after 20 s, forks at 24, memory at 3 GiB, signals are number 0, sockets go to loopback.

A program prints BROKE where it got what it must not get. `@SECRET@` is a file that holds the secret, `@FOLDER@` an
empty folder, `@HOST@` the number of the test's process, `@TCP@`, `@UDP@` and `@UNIX@` what listens there.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent


@dataclass(frozen=True)
class Hostile:
    """A program, the statuses that keep the promise, the answer where there must be one, the layers it depends on.

    `held_by` names layers of which any one is enough; the promise is broken only without all of them.
    """

    name: str
    program: str
    statuses: tuple[str, ...]
    held_by: tuple[str, ...] = ()
    answer: str | None = None


CASES: list[Hostile] = []


def case(name: str, statuses: str, program: str, held_by: str = "", answer: str | None = None) -> None:
    CASES.append(Hostile(name, dedent(program).strip("\n"), tuple(statuses.split()), tuple(held_by.split()), answer))


def attempts(statuses: str, held_by: str, programs: dict[str, str]) -> None:
    """One-line attempts: what comes after the line shows that it worked."""
    for name, program in programs.items():
        case(name, statuses, f"{program}\nprint('BROKE')", held_by)


UNTIL = "import time\nend = time.monotonic() + 20\n"  # no loop outlives this

# Time --------------------------------------------------------------------------------------------------------------
for _name, _body in {
    "an endless loop is ended": "while time.monotonic() < end: pass",
    "a loop that catches everything is ended": """while time.monotonic() < end:
    try:
        while time.monotonic() < end: pass
    except BaseException: pass""",
    "a loop that ignores signals is ended": """import signal
for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
    try: signal.signal(number, signal.SIG_IGN)
    except OSError: pass
while time.monotonic() < end: pass""",
    "a loop with an alarm that never ends is ended": """import signal
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
while time.monotonic() < end: pass""",
    "a loop in an exit function is ended": """import atexit
def stay():
    while time.monotonic() < end: pass
atexit.register(stay)""",
    "a loop in an exception's own text is ended": """class Stay(Exception):
    def __str__(self):
        while time.monotonic() < end: pass
        return ''
raise Stay""",
    "sleeping past the wall limit is ended": "time.sleep(20)",
    "sleeping in short naps is ended": "while time.monotonic() < end: time.sleep(0.01)",
    "waiting for a lock that nobody opens is ended": "import threading\nthreading.Event().wait(20)",
    "waiting in select is ended": "import select\nselect.select([], [], [], 20)",
    "waiting for a signal is ended": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 20)\nsignal.pause()",
}.items():
    case(_name, "timeout", UNTIL + _body + "\nprint('BROKE')")
case(
    "a loop in the answer's own text is ended",
    "timeout",
    UNTIL
    + """
class Answer:
    def __str__(self):
        while time.monotonic() < end: pass
        return '31337'
ans = Answer()""",
)
case("a catastrophic regular expression is ended", "timeout", "import re\nprint(re.match('(a+)+$', 'a' * 29 + 'b'))")
case("one long calculation in C is ended", "timeout memory", "print((7 ** (6 * 10 ** 7)) % 10)")
case("printing a huge integer is ended", "timeout", "import sys\nsys.set_int_max_str_digits(0)\nstr(1 << 5_000_000)")
case(
    "a loop inside C is ended", "timeout", "import itertools\nprint(sum(itertools.islice(itertools.count(), 10 ** 9)))"
)
case("waiting for input gets none", "runtime_error", "input()\nprint('BROKE')")
case(
    "a loop in a finalizer does not outlive the program",
    "no_answer timeout",
    UNTIL
    + """
class Stay:
    def __del__(self):
        while time.monotonic() < end: pass
stay = Stay()
stay.itself = stay""",
)

# Memory ------------------------------------------------------------------------------------------------------------
attempts("memory", "rlimits", {
    "memory cannot be taken by one list": "x = [0] * (3 << 27)",
    "memory cannot be taken by many lists": "x = []\nwhile len(x) < 3 << 10:\n    x.append([0] * (1 << 17))",
    "memory cannot be taken by a string": "x = 'x'\nwhile len(x) < 3 << 30:\n    x += x",
    "memory cannot be taken by bytes": "x = bytearray(3 << 30)",
    "memory cannot be taken by an integer": "x = 1 << (8 * (3 << 29))",
    "memory cannot be taken by formatting": "x = f'{1:1500000000}'",
    "memory cannot be taken by a dictionary": "x = {i: i for i in range(15_000_000)}",
    "memory cannot be taken by decimals":
        "import decimal\ndecimal.getcontext().prec = 10 ** 9\nx = decimal.Decimal(1) / 3",
    "memory cannot be taken by permutations": "import itertools\nx = list(itertools.permutations(range(10)))",
})  # fmt: skip
attempts("runtime_error", "rlimits", {"memory cannot be mapped": "import mmap\nx = mmap.mmap(-1, 3 << 30)"})
case(
    "a program that lives on without memory gets no more of it",
    "no_answer",
    """
x, refused = [], False
for _ in range(1 << 6):
    try:
        x.append(bytearray(1 << 24))
    except MemoryError:
        refused = True
print('' if refused else 'BROKE')""",
    "rlimits",
)
case("endless recursion is ended", "runtime_error", "def f(): return f()\nf()\nprint('BROKE')")
case(
    "recursion without its limit is ended",
    "memory timeout crashed runtime_error",
    """
import sys
sys.setrecursionlimit(10 ** 8)
def f(n): return f(n + 1) if n < 3_000_000 else 0
f(0)
print('BROKE')""",
)
case(
    "recursion in C is ended",
    "crashed runtime_error memory timeout",
    """
import sys
sys.setrecursionlimit(10 ** 8)
x = []
for _ in range(400_000):
    x = [x]
repr(x)
print('BROKE')""",
)

# Output ------------------------------------------------------------------------------------------------------------
attempts("output_limit", "", {
    "standard output cannot be flooded": "for _ in range(200_000): print('x' * 100)",
    "standard error cannot be flooded":
        "import sys\nfor _ in range(200_000): print('x' * 100, file=sys.stderr)",
    "one long line is too long": "print('x' * 20_000_000)",
    "the descriptor cannot be flooded": "import os\nfor _ in range(2000): os.write(1, b'x' * 10_000)",
})  # fmt: skip
case(
    "a flood that ignores the signal is over the limit",
    "output_limit",
    """
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for _ in range(2000):
    try: os.write(2, b'x' * 10_000)
    except OSError: pass""",
)
case(
    "the answer's channel cannot be flooded",
    "crashed output_limit",
    """
import os
for _ in range(2000):
    for number in range(3, 64):
        try: os.write(number, b'x' * 10_000)
        except OSError: pass
os._exit(0)""",
)
case(
    "output cannot be made to look huge", "forbidden", "import os\nos.ftruncate(1, 1 << 40)\nprint('BROKE')", "seccomp"
)
case(
    "output that is not text is read all the same",
    "ok",
    "import os\nos.write(1, bytes(range(256)))\nans = 1",
    answer="1",
)
case(
    "output written over does no harm",
    "ok",
    "import os\nprint('x' * 50, flush=True)\nos.lseek(1, 0, 0)\nans = 1",
    answer="1",
)
case("an answer that is too long is not handed over", "output_limit", "ans = 'x' * 1_000_000")

# Answers -----------------------------------------------------------------------------------------------------------
for _name, _statuses, _program, _answer in [
    ("not-a-number is an answer like any other", "ok", "ans = float('nan')", "nan"),
    ("infinity is an answer like any other", "ok", "ans = -1e308 * 10", "-inf"),
    ("a million digits are a verdict", "output_limit", "ans = 10 ** 10 ** 6", None),
    ("printing a million digits is a verdict", "runtime_error", "print(10 ** 10 ** 6)", None),
    ("a complex number is an answer", "ok", "ans = (-8) ** (1 / 3)", "(1.0000000000000002+1.7320508075688772j)"),
    ("a list that holds itself is an answer", "ok", "ans = [1]\nans.append(ans)", "[1, [...]]"),
    ("a set is an answer", "ok", "ans = {3}", "{3}"),
    ("a dictionary is an answer", "ok", "ans = {'a': 1.5}", "{'a': 1.5}"),
    ("bytes are an answer", "ok", "ans = b'18'", "b'18'"),
    ("a NUL in an answer is kept", "ok", "ans = 'a\\0b\\0c'", "a\0b\0c"),
    ("half a character in an answer is kept", "ok", "ans = '\\ud800'", "\ud800"),
    ("an answer whose text fails is an error", "runtime_error",
     "class A:\n    def __str__(self): return 1 / 0\nans = A()", None),
    ("an answer whose text leaves is an error", "runtime_error",
     "class A:\n    def __str__(self): raise SystemExit(0)\nans = A()", None),
    ("an answer nested too deep is an error", "runtime_error",
     "x = []\nfor _ in range(100_000): x = [x]\nans = x", None),
    ("what is printed is not the answer where there is one", "ok", "print('ok\\0int\\x0031337')\nans = 7", "7"),
    ("nothing computed is no answer", "no_answer", "x = None\nans = x", None),
    ("leaving early with a code is an error", "runtime_error", "print(31337)\nraise SystemExit(3)", None),
]:  # fmt: skip
    case(_name, _statuses, _program, answer=_answer)

# Text --------------------------------------------------------------------------------------------------------------
for _name, _statuses, _program in [
    ("300,000 nested parentheses are a verdict", "syntax_error", "(" * 300_000 + ")" * 300_000),
    ("300,000 signs are a verdict", "syntax_error", "-" * 300_000 + "1"),
    ("100,000 nested calls are a verdict", "syntax_error", "f(" * 100_000 + ")" * 100_000),
    ("a NUL byte is a verdict", "syntax_error", "ans = 1\0"),
    ("half a character is a verdict", "syntax_error", "ans = '\ud800'"),
    ("an unknown encoding line is a verdict", "ok syntax_error", "# -*- coding: utf-7 -*-\nans = 1"),
    ("a byte-order mark is a verdict", "ok syntax_error", "\ufeffans = 1"),
    ("Windows line ends are no matter", "ok", "ans = 1\r\nif ans:\r\n    ans = 2\r\n"),
    ("a program of 100 KB is read", "ok", "x = 1\n" * 17_000 + "ans = x"),
    ("a literal of 100,000 digits is a verdict", "syntax_error", "ans = " + "9" * 100_000),
    ("an empty program is a verdict", "no_answer", ""),
]:
    case(_name, _statuses, _program)
