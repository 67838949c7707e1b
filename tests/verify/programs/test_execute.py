"""What executing rows of programs and equations promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mmst.errors import InputError
from mmst.verify.execute import execute_rows
from mmst.verify.programs import Limits, Sandbox


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(workers=2) as sandbox:
        yield sandbox


def test_rows_come_back_in_order_with_what_they_carried(box: Sandbox) -> None:
    rows = [
        {"id": "a", "method": "pot", "text": "ans = 4", "other": 1},
        {"method": "pot", "text": "import time\nprint('x')\nraise ValueError('no')"},
    ]
    first, second = execute_rows(rows, box)
    assert {key: first[key] for key in ("id", "other", "status", "answer", "stdout", "stderr")} == {
        "id": "a", "other": 1, "status": "ok", "answer": "4", "stdout": "", "stderr": ""
    }  # fmt: skip
    assert first["seconds"] >= 0
    assert (second["status"], second["answer"], second["stdout"]) == ("runtime_error", None, "x\n")
    assert second["stderr"].endswith("ValueError: no\n")


def test_equations_are_solved_among_programs_in_the_order_of_the_rows(box: Sandbox) -> None:
    rows = [
        {"method": "eot", "text": "# apples\na + b = 7\na - b = 1\nans = a"},
        {"method": "pot", "text": "import fractions\nprint(5)"},
        {"method": "eot", "text": "x * x = 49\nans = x"},
        {"method": "eot", "text": "a + b = 7\nans = a"},
        {"method": "pot", "text": "ans = 6"},
    ]
    found = [(row["method"], row["status"], row["answer"]) for row in execute_rows(rows, box)]
    assert found == [
        ("eot", "ok", "4"), ("pot", "ok", "5"), ("eot", "ok", "7"), ("eot", "underdetermined", None), ("pot", "ok", "6")
    ]  # fmt: skip


def test_programs_and_equations_are_read_out_of_their_fences(box: Sandbox) -> None:
    rows = [
        {"method": "pot", "text": "```python\nprint(6 * 7)\n```\nOutput:\n```\n42\n```"},
        {"method": "eot", "text": "So:\n```\nans = 6 * 7\n```\nThat is all."},
    ]
    assert [row["answer"] for row in execute_rows(rows, box)] == ["42", "42"]


def test_many_processes_give_what_one_gives_in_the_same_order(box: Sandbox) -> None:
    """An endless loop among them does not hold up the reading of the others."""
    texts = [
        "ans = {n}",
        "print(sum([{n} for _ in range(1)]))",
        "def solution():\n    return {n} / 4",
        "x = {n}",
        "1 / 0",
    ]
    rows = [{"id": n, "method": "pot", "text": texts[n % 5].replace("{n}", str(n))} for n in range(300)]
    rows += [{"id": n, "method": "eot", "text": f"a + b = {n}\na - b = 1\nans = a"} for n in range(300, 400)]
    rows[70]["text"] = "while True: pass"
    read = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal read
        for read, row in enumerate(rows, 1):  # noqa: B007 - read where the loop is waited for
            yield row

    with Sandbox(Limits(cpu_seconds=1), workers=2) as sandbox:
        found = []
        for row in execute_rows(counted(), sandbox, workers=2):
            found.append(row)
            if row["id"] == 70:
                assert (row["status"], read) == ("timeout", 400)
    rows[70]["text"] = "x = 1"
    expected = list(execute_rows(rows, box))
    names = ("id", "status", "answer", "stdout", "stderr")
    different = [a["id"] for a, b in zip(found, expected, strict=True) if any(a[name] != b[name] for name in names)]
    assert different == [70]


def test_method_and_text_may_be_named_for_all_rows(box: Sandbox) -> None:
    (row,) = execute_rows([{"program": "ans = 4", "method": "cot"}], box, method="pot", text_field="program")
    assert row["answer"] == "4"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "q7", "method": "pot"}, "row q7: field 'text'"),
        ({"text": "ans = 1"}, "row 1: no field 'method'"),
        ({"method": "cot", "text": "x = 1"}, "row 1: method 'cot' cannot be executed"),
        ({"method": "pot", "text": 5}, "row 1: field 'text' .* found int"),
    ],
)
def test_a_row_that_cannot_be_executed_is_named(box: Sandbox, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(execute_rows([row], box))
