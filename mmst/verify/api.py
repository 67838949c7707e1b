"""The functions of `mmst.verify`, on a sandbox and a comparer that the whole process shares.

Both start when they are first needed, may be used from any thread, and are closed at exit. A forked process starts its
own.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from mmst.verify.answers import Answer, Comparer, Comparison, find_answer, read_answer
from mmst.verify.equations import STATUSES, solve_text
from mmst.verify.programs import Execution, Limits, Sandbox, program_in
from mmst.verify.programs.reading import last_block

METHODS = ("cot", "pot", "eot")
_AHEAD = 64  # texts per core that `verify_many` reads before their turn


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of verifying one text.

    Attributes
    ----------
    status : str
        `ok`: the text has an answer, and it was compared. `undecided`: it has one, but no comparison could decide.
        Otherwise the text has no answer: `no_answer`, a status of Execution (`timeout`, `runtime_error`, ...), or
        one of `mmst.verify.equations.STATUSES`.
    answer : str or None
        The answer as it was written or computed.
    correct : bool or None
        Whether it equals the reference; None unless the status is `ok`. A failure is never "wrong".
    reason : str
        What decided, or what went wrong.
    """

    status: str
    answer: str | None
    correct: bool | None
    reason: str


def extract(text: str, kind: str | None = None) -> Answer | None:
    """The final answer that a text states, in canonical form: equal answers have equal keys.

    Parameters
    ----------
    text : str
        A solution in words, or a bare answer. What counts as stated: see `mmst.verify.answers.find_answer`.
    kind : str, optional
        Accept only answers of this kind, for example number, choice, boolean or tuple; see Answer.

    Examples
    --------
    >>> extract("Half of 24 is 12.\\nThe answer is \\\\boxed{12}.")
    Answer(text='12', kind='number', key='12')
    >>> extract("Paris is the capital.", kind="number") is None
    True
    """
    found = find_answer(text)
    return found.answer if found and kind in (None, found.answer.kind) else None


def compare(gold: str, prediction: str) -> Comparison:
    """Whether a prediction equals a reference answer; None, with a reason, if that cannot be decided.

    Both may be bare answers or texts that state one. Canonical forms decide where they can; otherwise Math-Verify
    does, in a process of its own that is killed after 5 s of CPU time. The rules are in
    `mmst.verify.answers.policy`.

    Examples
    --------
    >>> compare("1/2", "The answer is 50%.").equal
    True
    >>> compare("(x + 1)^2", "x^2 + 2x + 1").equal
    True
    >>> compare("", "5")
    Comparison(equal=None, reason='gold cannot be read')
    """
    return _shared.comparer().compare(gold, prediction)


def run_program(program: str, *, limits: Limits | None = None) -> Execution:
    """Run a Python program in the sandbox. Never raises for what the program does.

    Its answer is `ans`, `answer`, the result of a `solution()` that it defines but does not call, or the last line
    printed. Programs share the sandbox, which has a worker per core; each distinct `limits` has a sandbox of its own.

    Raises
    ------
    SandboxUnavailable
        This machine cannot confine programs. On a disposable one, use `mmst.verify.programs.Sandbox(allow_weak=True)`.

    Examples
    --------
    >>> result = run_program("from fractions import Fraction\\nans = Fraction(6, 8)")
    >>> result.status, result.answer, result.kind
    ('ok', '3/4', 'fraction')
    >>> run_program("while True: pass", limits=Limits(cpu_seconds=0.2)).status
    'timeout'
    """
    return _shared.sandbox(limits or Limits()).execute(program)


def verify(text: str, reference: str, method: str = "cot", *, limits: Limits | None = None) -> Verification:
    """Read or run a solution by its method, and compare its answer with the reference.

    Parameters
    ----------
    text : str
        What a model wrote; programs and equations may stand in fenced blocks among other text.
    reference : str
        The reference answer, or a text that states it (as in GSM8K).
    method : str
        cot: words that state the answer. pot: a Python program. eot: equations that define `ans` (EoTD, Zhu et al.
        2024, section 3).
    limits : Limits, optional
        Of the program, and of SymPy where equations need it.

    Raises
    ------
    ValueError
        The method is unknown.
    SandboxUnavailable
        See `run_program`.

    Examples
    --------
    >>> verify("3 * 12 = 36, and 36 - 5 = 31. The answer is 31.", "31").correct
    True
    >>> verify("```python\\nprint(3 * 12 - 6)\\n```", "#### 31", method="pot")
    Verification(status='ok', answer='30', correct=False, reason='31 is not 30')
    >>> verify("a + b = 10\\na - b = 4\\nans = a", "7", method="eot").correct
    True
    >>> verify("print(1 / 0)", "31", method="pot")
    Verification(status='runtime_error', answer=None, correct=None, reason='ZeroDivisionError: division by zero')
    """
    if method not in METHODS:
        raise ValueError(f"method: {method!r} is not one of {', '.join(METHODS)}")
    status, answer, reason = _answer(text, method, limits)
    if status != "ok" or answer is None:
        return Verification(status, answer, None, reason)
    comparison = compare(reference, answer)
    return Verification("undecided" if comparison.equal is None else "ok", answer, comparison.equal, comparison.reason)


def verify_many(items: Iterable[tuple[str, str, str]], *, limits: Limits | None = None) -> Iterator[Verification]:
    """Verify (text, reference, method) triples on all cores; results come in order, and triples are read as needed.

    Examples
    --------
    >>> pairs = [("print(6 * 7)", "42", "pot"), ("I don't know.", "42", "cot")]
    >>> [(result.status, result.correct) for result in verify_many(pairs)]
    [('ok', True), ('no_answer', None)]
    """
    cores = len(os.sched_getaffinity(0))
    waiting: deque[Future[Verification]] = deque()
    pool = ThreadPoolExecutor(cores, thread_name_prefix="verify")
    try:
        for item in items:
            waiting.append(pool.submit(verify, *item, limits=limits))
            if len(waiting) > _AHEAD * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # reached early if the caller stops
        pool.shutdown(cancel_futures=True)


def _answer(text: str, method: str, limits: Limits | None) -> tuple[str, str | None, str]:
    """Status, answer, and the reason for a status other than ok."""
    if method == "cot":
        found = extract(text)
        return ("ok", found.text, "") if found else ("no_answer", None, "the text states no answer")
    if method == "eot":
        outcome = solve_text(last_block(text), partial(run_program, limits=limits))
        status, answer, reason = outcome.status, outcome.answer, STATUSES.get(outcome.status, "SymPy was stopped")
    else:
        run = run_program(program_in(text), limits=limits)
        status, answer = run.status, run.answer
        reason = (run.stderr.strip() or f"the program ended with status {status}").splitlines()[-1]
    if status == "ok" and (answer is None or read_answer(answer) is None):
        return "no_answer", answer, "the result is no answer that can be read"
    return status, answer, reason


class _Shared:
    """The sandboxes, by their limits, and the comparer of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sandboxes: dict[Limits, Sandbox] = {}
        self._comparer: Comparer | None = None

    def sandbox(self, limits: Limits) -> Sandbox:
        with self._lock:
            if limits not in self._sandboxes:
                self._sandboxes[limits] = Sandbox(limits, workers=len(os.sched_getaffinity(0)))
            return self._sandboxes[limits]

    def comparer(self) -> Comparer:
        with self._lock:
            self._comparer = self._comparer or Comparer()
            return self._comparer

    def close(self) -> None:
        for resource in (*self._sandboxes.values(), self._comparer):
            if resource:
                resource.close()


def _start_afresh() -> None:
    """In a forked process: leave the sandboxes and the comparer to the process that started them."""
    global _shared
    _shared = _Shared()


_shared = _Shared()
atexit.register(lambda: _shared.close())
os.register_at_fork(after_in_child=_start_afresh)
