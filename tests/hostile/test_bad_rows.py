"""Rows for compare, execute and filter: what is wrong is named, what is strange is processed, nothing grows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Commands
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmst.config import FilterConfig
from mmst.errors import InputError
from mmst.records import Verdict
from mmst.selection import filter_rows
from mmst.verify.answers import compare_rows
from mmst.verify.execute import execute_rows
from mmst.verify.programs import Limits, Sandbox


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


BROKEN: dict[str, bytes] = {
    "not JSON": b"{",
    "a list": b"[1]\n",
    "a number": b"1\n",
    "not UTF-8": b'{"gold": "\xff", "prediction": "1"}\n',
    "null bytes": b"\0\0\n",
    "nested 10,000 deep": b'{"gold": ' + b"[" * 10_000 + b"\n",
    "nested 10,000 deep and whole": b'{"gold": ' + b"[" * 10_000 + b"]" * 10_000 + b', "prediction": 1}\n',
    "a huge number": b'{"gold": ' + b"9" * 5000 + b', "prediction": "1"}\n',
    "UTF-16": '{"gold": "1"}'.encode("utf-16"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_refused(mmst: Commands, name: str) -> None:
    assert "standard input:1" in mmst.refused("compare", stdin=BROKEN[name])


ROWS: dict[str, dict] = {
    "no gold": {"prediction": "1"},
    "no prediction": {"gold": "1"},
    "an object": {"gold": {"a": 1}, "prediction": "1"},
    "a list": {"gold": "1", "prediction": [1]},
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_without_answers_to_compare_is_refused(mmst: Commands, name: str) -> None:
    assert "row 2" in mmst.refused("compare", stdin=lines({"gold": 1, "prediction": 1}, ROWS[name]))


ANSWERS = {
    "a megabyte": "1" * 1_000_000,
    "a megabyte of brackets": "(" * 1_000_000,
    "a megabyte of powers": "2^" * 500_000 + "2",
    "a tower": "9^9^9^9",
    "a huge exponent": "1e999999999",
    "a huge factorial": "99999999!",
    "surrogates": "\ud800\udfff",
    "escape sequences": "\x1b[31m1\x1b[0m",
    "null bytes": "1\0",
    "direction marks": "\u202e1\u202c",
    "nested fractions": "\\frac{1}{" * 3000 + "1" + "}" * 3000,
    "nested roots": "\\sqrt{" * 3000 + "4" + "}" * 3000,
    "many answers": "the answer is 1. " * 60_000,
    "NaN": "NaN",
    "infinity": "inf",
    "digits of many scripts": "١٢٣४५六",
    "boxed in boxed": "\\boxed{" * 2000 + "1" + "}" * 2000,
    "a million fractions": "1/" * 500_000 + "1",
    "a matrix": "\\begin{pmatrix}" * 2000,
    "code": "__import__('os').system('touch pwned')",
    "SymPy code": "exec(open('/etc/passwd').read())",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_strange_answer_is_compared(mmst: Commands, tmp_path: Path, name: str) -> None:
    rows = lines(
        {"id": 0, "gold": ANSWERS[name], "prediction": "1"}, {"id": 1, "gold": "1", "prediction": ANSWERS[name]}
    )
    outcome = mmst("compare", stdin=rows, cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    found = [json.loads(line) for line in outcome.out.splitlines()]
    assert [row["id"] for row in found] == [0, 1]
    assert all(row["equal"] in (True, False, None) for row in found)
    assert not (tmp_path / "pwned").exists()


def test_output_is_json_without_nan(mmst: Commands) -> None:
    outcome = mmst("compare", stdin=b'{"gold": "1", "prediction": "1", "score": NaN, "other": [Infinity]}\n')
    assert outcome.code in (0, 2)
    if outcome.code == 0:
        json.loads(outcome.out, parse_constant=pytest.fail)


LIMITS = [
    *(("--cpu-seconds", value) for value in ("0", "-1", "nan", "inf", "1e400", "x")),
    *(("--wall-seconds", value) for value in ("0", "-1", "nan", "inf")),
    *(("--workers", value) for value in ("0", "-1", "1000000", "1.5")),
    ("--method", "haiku"),
]


@pytest.mark.parametrize("words", LIMITS, ids=" ".join)
def test_a_bad_limit_is_refused(mmst: Commands, words: tuple[str, ...]) -> None:
    assert mmst.refused("execute", *words, stdin=lines({"method": "pot", "text": "print(1)"}))


@pytest.mark.parametrize(
    "row",
    [
        {"text": "print(1)"},
        {"method": "haiku", "text": "print(1)"},
        {"method": "pot"},
        {"method": "pot", "text": 3},
        {"method": "pot", "text": {"a": 1}},
        {"method": ["pot"], "text": "x"},
        {"method": {"a": 1}, "text": "x"},
        {"method": "\x1b[31m", "text": "x"},
    ],
    ids=str,
)
def test_a_row_that_cannot_be_executed_is_refused(sandbox: Sandbox, row: dict) -> None:
    with pytest.raises(InputError, match="row 1") as found:
        list(execute_rows([row], sandbox))
    assert "\x1b" not in str(found.value)


def test_execute_ends_with_one_line_on_a_bad_row(mmst: Commands, tmp_path: Path) -> None:
    rows = lines({"method": "pot", "text": "print(1)"}, {"method": "haiku", "text": ""})
    assert "row 2" in mmst.refused("execute", "--workers", 1, "--out", tmp_path / "out.jsonl", stdin=rows)
    assert not (tmp_path / "out.jsonl").exists()


PROGRAMS = {
    "prints a gigabyte": "x = 'a' * 10\nfor i in range(10**9):\n    print(x)",
    "prints a long text often": "x = 'a' * 1000\n" + "print(x)\n" * 20_000,
    "doubles a text": "x = 'a'\n" + "x = x + x\n" * 60 + "print(x)",
    "doubles a list": "x = [1]\n" + "x = x + x\n" * 60 + "print(x)",
    "repeats a text": "print('a' * 10**12)",
    "formats widely": "print(f'{1:>1000000000}')",
    "formats widely with percent": "print('%1000000000d' % 1)",
    "joins": "x = ','.join(['a' * 10**6] * 10**6)\nprint(x)",
    "a huge power": "print(9 ** 9 ** 9)",
    "a shift": "print(1 << 10**12)",
    "a huge factorial": "import math\nprint(math.factorial(10**8))",
    "many digits": "print(10 ** 4000)",
    "nested brackets": "print(" + "(" * 5000 + "1" + ")" * 5000 + ")",
    "nested operators": "print(" + "-" * 50_000 + "1)",
    "null bytes": "print(1)\0",
    "surrogates": "print('\ud800')",
    "a megabyte of assignments": "x = 1\n" * 150_000 + "print(x)",
    "a megabyte of text": "#" + "x" * 1_000_000 + "\nprint(1)",
    "a fork bomb": "import os\nwhile True:\n    os.fork()",
    "leaves": "import sys\nsys.exit(0)",
    "reads a secret": "print(open('/etc/passwd').read())",
    "traces of wide values": "x = 10 ** 3000\n" + "\n".join(f"y{n} = x + {n}" for n in range(300)) + "\nprint(y1)",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(cpu_seconds=1, wall_seconds=5), cross_check=0) as found:
        yield found


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_within_its_limits(sandbox: Sandbox, name: str) -> None:
    (row,) = execute_rows([{"method": "pot", "text": PROGRAMS[name]}], sandbox)
    assert len(row["stdout"]) <= sandbox.limits.output_bytes
    assert len(json.dumps(row)) < 2_500_000
    assert "root:" not in row["stdout"]


@pytest.mark.parametrize(
    "text", ["x = " * 5000, "x = 9^9^9^9", "(" * 5000, "x" * 1_000_000, "x=1\n" * 100_000, "\ud800=1"]
)
def test_equations_end_within_their_limits(sandbox: Sandbox, text: str) -> None:
    (row,) = execute_rows([{"method": "eot", "text": text}], sandbox)
    assert isinstance(row["status"], str)


FILTERED = {
    "no problem": {"question": "?", "method": "cot", "text": "1"},
    "no method": {"problem_id": "1", "text": "1"},
    "no text": {"problem_id": "1", "method": "cot"},
    "number as text": {"problem_id": "1", "method": "cot", "text": 1},
    "unknown method": {"problem_id": "1", "method": "haiku", "text": "1"},
    "list as method": {"problem_id": "1", "method": ["cot"], "text": "1"},
    "object as an answer": {"problem_id": "1", "method": "cot", "text": "1", "answer": {"a": 1}},
    "a list as an answer": {"problem_id": "1", "method": "cot", "text": "1", "answer": [1]},
}


@pytest.mark.parametrize("name", FILTERED)
def test_a_row_that_cannot_be_filtered_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="row 1"):
        list(filter_rows([FILTERED[name]], lambda method, text: Verdict("ok", "1", "1"), FilterConfig()))


def test_filter_ends_with_one_line_on_a_bad_row(mmst: Commands) -> None:
    assert "row 1" in mmst.refused("filter", "--label", "gold", stdin=lines(FILTERED["unknown method"]))


_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_ANSWER = st.text(alphabet="0123456789.,/^()[]{}\\-+*%$ =abcxπ√∞½", max_size=40) | _VALUE


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(gold=_ANSWER, prediction=_ANSWER)
def test_any_row_is_compared_or_refused(gold: object, prediction: object) -> None:
    try:
        (row,) = compare_rows([{"gold": gold, "prediction": prediction}])
    except InputError as error:
        assert "row 1" in str(error)
    else:
        assert row["equal"] in (True, False, None)


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    row=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("problem_id", "method", "text", "answer", "question"), _VALUE)
    ),
    method=st.sampled_from(["cot", "pot", None]),
)
def test_any_row_is_filtered_or_refused(row: dict, method: str | None) -> None:
    given_row = row if method is None else {**row, "method": method}
    try:
        (found,) = filter_rows([given_row], lambda method, text: Verdict("ok", "1", "1"), FilterConfig())
    except InputError as error:
        assert "row 1" in str(error)
    else:
        assert isinstance(found["kept"], bool)
