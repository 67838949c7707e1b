"""`mmst filter`: rows of any origin get the decisions of a round, in their order."""

import threading

import pytest

from mmst.config import FilterConfig
from mmst.errors import InputError
from mmst.records import Verdict
from mmst.selection import filter_rows
from mmst.verify.answers import find_answer


def verify(method: str, text: str) -> Verdict:
    """Reads both methods' texts as words, so that no sandbox is needed."""
    found = find_answer(text)
    return Verdict("ok", found.answer.text, found.answer.key) if found else Verdict("no_answer")


def row(problem: str, method: str, text: str, answer: object = None) -> dict:
    return {"problem_id": problem, "question": "?", "answer": answer, "method": method, "text": text, "mine": 1}


def filtered(rows: list[dict], label: str = "gold", **settings: object) -> list[dict]:
    return list(filter_rows(rows, verify, FilterConfig(label=label, **settings)))  # type: ignore[arg-type]


def test_scattered_rows_of_a_problem_come_out_in_their_order_with_their_decisions() -> None:
    rows = [
        row("p", "cot", "3 + 4 = 7. The answer is 7.", 7),
        row("q", "cot", "The answer is 5.", "6"),
        row("p", "cot", "So 3+4=7 apples. The answer is 7."),
        row("r", "cot", "The answer is 1."),
        row("p", "cot", "3 + 5 = 7. The answer is 7."),
        row("p", "cot", "No idea."),
        row("p", "pot", "The answer is 7.0"),
    ]
    out = filtered(rows)
    assert [{name: r[name] for name in rows[0]} for r in out] == rows
    assert [r["reason"].partition(":")[0] for r in out] == [
        *("kept", "wrong", "duplicate", "no_label", "calculation", "not_ok", "kept"),
    ]
    assert [r["kept"] for r in out] == [r["reason"] == "kept" for r in out]
    assert [r["label"] for r in out] == ["7", "6", "7", None, "7", "7", "7"]
    assert (out[1]["status"], out[1]["answer_found"]) == ("ok", "5")


def test_agreement_needs_no_answers_and_uses_none() -> None:
    rows = [row("p", "cot", "The answer is 7.", 8), row("p", "pot", "The answer is 7", 8), row("q", "cot", "It is 3.")]
    out = filtered(rows, "agreement")
    assert [(r["label"], r["kept"]) for r in out] == [("7", True), ("7", True), (None, False)]
    third = "The answer is 3.3333333333333335."
    out = filtered([row("p", "cot", third, "3.33"), row("p", "pot", "The answer is 3.33.", "3.33")], "agreement")
    assert [r["reason"] for r in out] == ["kept", "kept"]


def test_an_answer_that_is_right_when_rounded_as_the_reference_is_kept() -> None:
    (out,) = filtered([row("p", "cot", "10 / 3 = 3.33. The answer is 3.3333333333333335.", "3.33")])
    assert out["kept"]


def test_caps_and_balance_hold_over_the_whole_file() -> None:
    rows = [row(f"p{n % 3}", "cot", f"Since {n}, the answer is 7.", 7) for n in range(9)]
    rows.append(row("p0", "pot", "The answer is 7."))
    assert [r["reason"] for r in filtered(rows, cap=2)].count("cap") == 3
    assert [r["reason"] for r in filtered(rows, cap=3, balance=2)].count("balance") == 7


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"method": "cot", "text": "7"}], r"row 1: field `problem_id`"),
        ([row("p", "cot", "7"), row("p", "none", "7")], r"row 2: method: `none`"),
        ([row("p", "cot", 7)], r"row 1: text: expected text"),  # type: ignore[arg-type]
        ([row("p", "cot", "7", 7), row("p", "cot", "7", 8)], r"row 2: answer: `8`.*`7`"),
    ],
)
def test_bad_rows_are_named(rows: list[dict], message: str) -> None:
    with pytest.raises(InputError, match=message):
        filtered(rows)


def test_rows_are_verified_at_the_same_time() -> None:
    """Two calls wait for each other; one at a time, they would give up."""
    together = threading.Barrier(2, timeout=30)

    def wait(method: str, text: str) -> Verdict:
        together.wait()
        return Verdict("ok", "7", "7")

    rows = [row("a", "cot", text, "7") for text in ("x", "y")]
    found = list(filter_rows(rows, wait, FilterConfig(label="gold"), workers=2))
    assert [each["status"] for each in found] == ["ok", "ok"]
