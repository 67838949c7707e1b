"""Whatever the text: no exception, no hang, a symmetric verdict, readable answers equal to themselves."""

import os
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mmst.verify.answers import Answer, compare_answers, find_answer, read_answer, read_or_find

FRAGMENTS = [
    fragment
    for line in (
        r"\frac \sqrt \boxed{ \text{ \left( \right) \pi \infty \cup \pm \le \ge \in \begin{pmatrix} \end{pmatrix} \\",
        r"\overline{ \circ \cdot \sin \log \{ \} ^ ^{ _ { } ( ) [ ] | , ; : = < > + - * ** / // ! % $ \$ \% & . ... '",
        "0 1 2 9 10 12 3.5 .5 1e9 1e-7 1,000 x y z e i I E pi oo sqrt( Fraction( Decimal(' Matrix([[ Interval( log(",
        "and or yes no A (B) half million dollars cm km/h pm am 3:30 the answer is #### Answer: ** ½ √ ² − × ∞ é 中",
    )
    for fragment in line.split()
]

fragments = st.lists(st.sampled_from([*FRAGMENTS, " ", "\n"]), max_size=24).map("".join)
spaced = st.lists(st.sampled_from(FRAGMENTS), max_size=16).map(" ".join)
digits = st.from_regex(
    r"[-+]?\$?[0-9]{1,6}(,[0-9]{3}){0,2}(\.[0-9]{1,17})?(e[-+]?[0-9]{1,5})?%?( [a-z]{1,8})?", fullmatch=True
)
texts = st.one_of(fragments, spaced, digits, st.text(max_size=60))

LIMIT = 1.0  # seconds for one pair, on a loaded machine


def check_pair(left_text: str, right_text: str) -> None:
    """Everything that must hold for any two texts."""
    start = time.thread_time()
    left, right = read_answer(left_text), read_answer(right_text)
    find_answer(left_text + " " + right_text)
    found = read_or_find(left_text)
    for answer in (left, right, found):
        if answer is not None:
            check_reflexive(answer)
    if left is not None and right is not None:
        check_symmetric(left, right)
    assert time.thread_time() - start < LIMIT


def check_reflexive(answer: Answer) -> None:
    verdict = compare_answers(answer, answer)
    assert verdict is not None and verdict.equal is True and verdict.reason


def check_symmetric(left: Answer, right: Answer) -> None:
    there, back = compare_answers(left, right), compare_answers(right, left)
    assert (there and there.equal) == (back and back.equal)
    if left.key == right.key and left.kind == right.kind:
        assert there is not None and there.equal is True


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts, texts)
@example("9^9^9^9^9", "((((((((9!)!)!)!)!)!)!)!)")
@example("1" * 5000, "{" * 3000)
@example("10^{10^{10}}", "x^{10^{9}}")
@example("(" * 49 + "1" + ")" * 49, "[" * 200)
@example("\\frac" * 300, "-" * 1900)
@example("1e999999999", "1e-99999")
@example("ipi\\le0", "p>=0")
def test_any_text_is_read_and_compared_without_exception_or_hang(left: str, right: str) -> None:
    check_pair(left, right)


@settings(max_examples=300, deadline=None)
@given(texts, st.integers(1, 400))
def test_repetition_of_anything_is_read_in_bounded_time(text: str, times: int) -> None:
    start = time.thread_time()
    repeated = text * times
    read_answer(repeated)
    find_answer(repeated)
    assert time.thread_time() - start < 2 * LIMIT


@pytest.mark.long
@pytest.mark.timeout(900)
def test_ten_minutes_of_fuzzing() -> None:
    until = time.monotonic() + float(os.environ.get("MMST_FUZZ_SECONDS", "600"))

    @settings(max_examples=5000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(texts, texts)
    def search(left: str, right: str) -> None:
        check_pair(left, right)

    while time.monotonic() < until:
        search()
