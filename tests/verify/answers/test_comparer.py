"""The comparer: verdicts beyond the canonical form, deadlines, threads, hostile answers, no process left."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmst.errors import InputError
from mmst.verify.answers import Comparer, compare_answers, compare_rows, read_answer

SUM = r"\sum_{k=0}^{n-1} F_k F_{n-k-1}"
SAME_SUM = r"\sum_{k=0}^{n-1} F_{n-k-1} F_k"
OTHER_SUM = r"\sum_{k=0}^{n-2} F_k F_{n-k-2}"
# Math-Verify needs far longer than any limit here for a derivative of this kind
ENDLESS = r"\int_0^1 \sin(x^{\cos(x^{\sin x})}) e^{x^{x^{x}}} dx"


@pytest.fixture(scope="module")
def comparer():
    with Comparer(workers=1, seconds=20) as comparer:
        yield comparer


def pids(comparer: Comparer) -> list[int]:
    return [worker.process.pid for worker in comparer._all if worker.process is not None]


def test_mathematics_beyond_our_grammar_goes_to_math_verify(comparer: Comparer) -> None:
    assert compare_answers(read_answer(SUM), read_answer(SAME_SUM)) is None
    assert comparer.compare(f"${SUM}$", f"${SAME_SUM}$").equal is True
    assert comparer.compare(f"${SUM}$", f"${OTHER_SUM}$").equal is False


def test_the_order_of_comparison_never_matters(comparer: Comparer) -> None:
    for pair in [(SUM, SAME_SUM), (SUM, OTHER_SUM), (SUM, "5"), (r"\int_0^1 x dx", "0.5")]:
        assert comparer.compare(*pair).equal == comparer.compare(*pair[::-1]).equal


def test_a_reference_that_cannot_be_read_is_its_own_verdict(comparer: Comparer) -> None:
    for gold in ("", "nan", "The cat sat on the mat 5 times and 6 times \\"):
        verdict = comparer.compare(gold, "18")
        if verdict.equal is None:
            assert verdict.reason.startswith("gold")
    assert comparer.compare("", "18").equal is None
    assert comparer.compare("18", "").equal is False


def test_texts_are_compared_by_the_answers_that_they_state(comparer: Comparer) -> None:
    assert comparer.compare("#### 18", "She sells 9 * 2 = 18. The answer is $18 per day.").equal is True
    assert comparer.compare("18", "\\boxed{17}").equal is False


def test_a_time_out_is_undecided_and_the_next_pair_is_verified() -> None:
    with Comparer(workers=1, seconds=20) as comparer:
        comparer.compare(SUM, SAME_SUM)  # the worker has started
        before = pids(comparer)
        comparer.seconds = 0.02
        start = time.monotonic()
        verdict = comparer.compare(ENDLESS, r"\int_0^2 \sin(x^{\cos(x^{\sin x})}) e^{x^{x^{x}}} dx")
        assert time.monotonic() - start < 30
        assert verdict.equal is None and "within" in verdict.reason
        comparer.seconds = 20
        assert comparer.compare(SUM, OTHER_SUM).equal is False
        assert pids(comparer) != before


def test_a_worker_that_is_killed_from_outside_is_replaced() -> None:
    with Comparer(workers=1, seconds=20) as comparer:
        comparer.compare(SUM, SAME_SUM)
        os.kill(pids(comparer)[0], 9)
        assert comparer.compare(SUM, OTHER_SUM).equal in (False, None)
        assert comparer.compare(SUM, OTHER_SUM.replace("F", "G")).equal is False


def test_no_process_is_left_when_the_comparer_is_closed() -> None:
    with Comparer(workers=1, seconds=20) as comparer:
        comparer.compare(SUM, SAME_SUM)
        (pid,) = pids(comparer)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_no_process_is_left_when_the_owner_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom mmst.verify.answers import Comparer\n"
        f"comparer = Comparer(workers=1, seconds=20)\ncomparer.compare({SUM!r}, {SAME_SUM!r})\n"
        "print(comparer._all[0].process.pid, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    pid = int(done.stdout)
    until = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
        assert time.monotonic() < until, "the worker outlived its owner"
        time.sleep(0.05)


def test_threads_share_a_comparer_and_get_the_right_verdicts(comparer: Comparer) -> None:
    tasks = [(SUM, SAME_SUM, True), (SUM, OTHER_SUM, False), ("1/2", "0.5", True), ("1/2", "0.6", False)] * 10
    with ThreadPoolExecutor(8) as threads:
        verdicts = list(threads.map(lambda task: comparer.compare(task[0], task[1]).equal, tasks))
    assert verdicts == [expected for *_, expected in tasks]
    assert threading.current_thread() is threading.main_thread()


PLANTED = [
    "__import__('os').system('touch {}')",
    "$__import__('os').system('touch {}')$",
    r"\frac{{1}}{{__import__('os').system('touch {}')}}",
    "eval(\"open('{}','w')\")",
    "Matrix([[open('{}','w')]])",
    r"$\sum_{{k}} \operatorname{{open}}('{}','w')$",
]


@pytest.mark.parametrize("template", PLANTED)
def test_code_planted_in_an_answer_does_not_run(comparer: Comparer, tmp_path: Path, template: str) -> None:
    target = tmp_path / "planted"
    comparer.compare(template.format(target), SUM)
    comparer.compare("5", template.format(target))
    assert not target.exists()


def test_rows_keep_their_order_and_columns_and_stream() -> None:
    taken = []

    def rows():
        for number in range(2000):
            taken.append(number)
            gold, prediction = (SUM, SAME_SUM) if number == 5 else (str(number), f"{number % 1000}.0")
            yield {"id": number, "gold": gold, "prediction": prediction, "note": "kept"}

    verified = compare_rows(rows(), workers=1, seconds=20)
    first = next(verified)
    assert first == {"id": 0, "gold": "0", "prediction": "0.0", "note": "kept", "equal": True, "reason": "same number"}
    assert len(taken) < 1500
    rest = list(verified)
    assert [row["id"] for row in rest] == list(range(1, 2000))
    assert all(row["equal"] == (row["id"] < 1000) for row in rest)


def test_other_field_names_can_be_given_and_a_missing_field_is_named() -> None:
    row = {"answer": "5", "output": "5.0"}
    assert next(compare_rows([row], gold_field="answer", prediction_field="output"))["equal"] is True
    with pytest.raises(InputError, match="row 1: no field 'gold'"):
        list(compare_rows([row]))


def test_the_package_imports_no_heavy_module() -> None:
    heavy = ("ray", "torch", "vllm", "transformers", "sympy", "mpmath")
    program = f"import sys, mmst.verify.answers; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
