"""The fast path never differs from CPython: programs made up by Hypothesis, run on both."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmst.verify.programs import Limits, Sandbox, straightline

NAMES = st.sampled_from([*"abcdn" * 3, "x", "ans", "answer", "sum", "round", "f", "solution", "math", "sqrt"])
NUMBERS = st.one_of(
    st.integers(-20, 120).map(str),
    st.integers(0, 9).map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0", "1", "2", "0.1", "2.675", "0.5", "1.5", "2.5", "1e16", "1e22", "1e308", "1e-320", "1_000"]),
    st.sampled_from(["0x1f", "7/11", "100.0", "True", "False", "None", "-0.0", "10**40"]),
)
TEXTS = st.sampled_from(
    ["'a'", '"12"', "''", "'3.5'", "'a b'", "'\\n'", "'é'", "'\\ud800'", "r'\\d'", "'\\d'", "'nan'"]
)
BINARY = st.sampled_from(["+", "-", "*", "/", "//", "%", "**"] * 4 + ["@", "<<", "&"])
COMPARED = st.sampled_from(["==", "!=", "<", "<=", ">", ">="] * 4 + ["in", "not in", "is"])
CALLED = st.sampled_from(
    ["abs", "round", "int", "float", "str", "bool", "min", "max", "pow", "f", "g", "math.sqrt", "math.ceil"] * 3
    + ["sum", "len", "divmod", "print", "solution", "sorted", "range", "math.factorial", "math.log", "math.gcd"]
    + ["sqrt", "input", "type", "repr"]
)
SPECS = st.sampled_from(["", ":.2f", ":,", ":,.2f", ":d", ":.1%", ":>8", "!r", "!s", ":.3g", "=", ":e", ":s", ":{a}"])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=0, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(inner, BINARY, inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(inner, BINARY, inner).map(lambda p: f"{p[0]} {p[1]} {p[2]}"),
        st.tuples(st.sampled_from(["-", "+", "not ", "-"]), inner).map("".join),
        st.tuples(inner, COMPARED, inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(inner, COMPARED, inner, COMPARED, inner).map(lambda p: f"({' '.join(p)})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda p: f"({' '.join(p)})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} else {p[2]})"),
        st.tuples(CALLED, several).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(inner, st.sampled_from("bbbac"), inner).map(lambda p: f"f({p[0]}, {p[1]}={p[2]})"),
        several.map(lambda parts: f"[{parts}]"),
        several.map(lambda parts: f"({parts},)" if parts else "()"),
        st.sampled_from(["x[0]", "x[1]", "x[-1]", "x[True]", "x[0.5]", "x[2]", "c[0]"]),
        st.tuples(inner, SPECS).map(lambda p: f'f"v {{{p[0]}{p[1]}}}"' if not set(p[0]) & set("\"'\\") else p[0]),
    )


EXPRESSIONS = st.recursive(st.one_of(*[NUMBERS] * 4, *[NAMES] * 4, TEXTS), _grown, max_leaves=6)


def _simple(expressions: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(NAMES, expressions).map(" = ".join),
        st.tuples(NAMES, expressions).map(" = ".join),
        st.tuples(NAMES, NAMES, expressions).map(" = ".join),
        st.tuples(NAMES, NAMES, expressions, expressions).map(lambda p: f"{p[0]}, {p[1]} = {p[2]}, {p[3]}"),
        st.tuples(NAMES, BINARY, expressions).map(lambda p: f"{p[0]} {p[1]}= {p[2]}"),
        st.tuples(NAMES, st.sampled_from(["int", "float", "list", "x"]), expressions).map(
            lambda p: f"{p[0]}: {p[1]} = {p[2]}"
        ),
        expressions.map(lambda value: f"print({value})"),
        st.tuples(expressions, expressions).map(lambda p: f"print({p[0]}, {p[1]}, sep='-')"),
        expressions,
        st.sampled_from(["pass", '"""Text."""', "import math", "from math import sqrt", "from math import pi as x"]),
    )


def _indented(lines: list[str]) -> str:
    return "".join("\n    " + line.replace("\n", "\n    ") for line in lines or ["pass"])


START = "import math\na = 3\nb = c = 0.5\nd = n = 12\nx = [1, 2.5]\ndef f(a=2, b=1):\n    return a - b\ng = 3"
LINES = st.one_of(
    _simple(EXPRESSIONS),
    _simple(EXPRESSIONS),
    st.tuples(EXPRESSIONS, st.lists(_simple(EXPRESSIONS), max_size=2), st.lists(_simple(EXPRESSIONS), max_size=2)).map(
        lambda p: f"if {p[0]}:{_indented(p[1])}\nelse:{_indented(p[2])}"
    ),
)
BODY_LINES = st.one_of(LINES, LINES, EXPRESSIONS.map(lambda value: f"return {value}"))
PARAMETERS = st.sampled_from(["", "a", "a, b", "a, b=2", "x: float", "a: int = b", "n=1"])
FUNCTIONS = st.tuples(
    st.sampled_from(["f", "g", "solution"]), PARAMETERS, st.lists(BODY_LINES, min_size=1, max_size=4)
).map(lambda p: f"def {p[0]}({p[1]}):{_indented(p[2])}")
ODD = """
global a|del a|assert a|return 5|nonlocal a|import random|x = (yield 3)|x[0] = 5|a: int|from math import *|a.b = 3
from __future__ import division|x += [3]|await a|(3)(4)|a is 3|f(a=1, a=2)|lambda: a|[a for a in x]|raise a|print(*x)
__debug__ = 1|class f: a = 3|def f(a, a): pass|def g(a, *, b): return b|def f(*a): pass|for a in x: print(a)
while a > 0: a -= 1|with a: pass|async def f(): pass|(a := 3)|a = ~a|print(a, sep="", sep="")|a = b = *x, 3|a[1:2]|...
"""
_LINES = st.lists(st.one_of(LINES, LINES, LINES, FUNCTIONS), min_size=1, max_size=5)


def _woven(parts: tuple[list[str], str, int]) -> str:
    """One odd line, in one program of eight, somewhere; a function's body or an untaken branch included."""
    lines, odd, place = parts
    place -= 50
    if 0 < place < len(lines) * 2:
        odd = odd if place % 2 else f"if 0:{_indented([odd])}" if place % 4 else f"def g():{_indented([odd])}"
        lines = [*lines[: place // 2], odd, *lines[place // 2 :]]
    return "\n".join([START, *lines])


PROGRAMS = st.tuples(_LINES, st.sampled_from(re.split(r"[|\n]", ODD.strip())), st.integers(0, 60)).map(_woven)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(Limits(cpu_seconds=1, wall_seconds=5, memory_bytes=1 << 29), cross_check=1.0) as sandbox:
        yield sandbox


def _agree(box: Sandbox, program: str) -> None:
    box.execute(program)
    assert not box.counts.differences, program


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(PROGRAMS)
def test_made_up_programs_give_the_same_on_both_paths(box: Sandbox, program: str) -> None:
    _agree(box, program)


@pytest.mark.long
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(PROGRAMS)
@pytest.mark.timeout(1200)
def test_many_made_up_programs_give_the_same_on_both_paths(box: Sandbox, program: str) -> None:
    _agree(box, program)


PIECES = re.compile(r"\d+\.?\d*|\w+|\*\*|//|[^\w\s]|\n *")


def _mutated(program: str, source: random.Random) -> str:
    """A real program with one to three of its pieces exchanged, doubled or dropped."""
    pieces = PIECES.split(program), PIECES.findall(program)
    between, tokens = list(pieces[0]), list(pieces[1])
    for _ in range(source.randint(1, 3)):
        place, other = source.randrange(len(tokens)), source.randrange(len(tokens))
        tokens[place] = source.choice(
            [tokens[other], tokens[place] * 2, "", "0", "-1", "1e400", "10**200", "**", "print", "ans", "f'{x:.2f}'"]
        )
    return "".join(part for pair in zip(between, [*tokens, ""], strict=True) for part in pair)


def test_real_programs_with_changes_give_the_same_on_both_paths(box: Sandbox, real_programs: list[str]) -> None:
    source = random.Random(3)
    for _ in range(500):
        _agree(box, _mutated(source.choice(real_programs), source))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_many_real_programs_with_changes_give_the_same_on_both_paths(box: Sandbox, real_programs: list[str]) -> None:
    source = random.Random(4)
    for _ in range(40_000):
        _agree(box, _mutated(source.choice(real_programs), source))


def test_the_fast_path_takes_a_fair_share_of_what_is_made_up(box: Sandbox) -> None:
    """Without this, agreeing would be easy."""
    taken = [straightline.run(program) is not None for program in EASY]
    assert all(taken)


EASY = [
    "a = 3\nb = a * 2.5\nprint(a, b)\nans = b / a",
    "def f(a, b=2):\n    if a > b:\n        return a\n    return b ** a\nprint(f(1), f(5), f(b=1, a=0))",
    "import math\nx = math.ceil(7 / 2)\nprint(f'{x:,.2f} {x!r}')",
    "x = 3\ny = [1, 2, 3]\nq, r = divmod(7, 2)\nprint(max(x, y[1]), round(sum(y) / len(y), 2), int('4') % 3)",
    "def solution():\n    '''Text.'''\n    total = 5\n    total += 2\n    return total",
]
