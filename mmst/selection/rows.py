"""Filtering rows of any origin with the labels, checks and caps of a round, for `mmst filter`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from mmst.errors import InputError
from mmst.methods import METHODS
from mmst.records import FilterDecision, Solution, Verdict
from mmst.selection.filtering import SolutionFilter, over_balance
from mmst.verify.answers import Answer, read_answer

if TYPE_CHECKING:
    from mmst.config import FilterConfig


def filter_rows(
    rows: Iterable[Mapping[str, Any]],
    verify: Callable[[str, str], Verdict],
    config: FilterConfig,
    *,
    text_field: str = "text",
    workers: int = 1,
) -> Iterator[dict[str, Any]]:
    """Verify, label and filter solutions as a first round would.

    Parameters
    ----------
    rows: {problem_id, question, answer?, method, text}, in any order. All are held in memory, since a problem's last
        row may decide about its first one.
    verify: (method, text) to a verdict; called from `workers` threads at a time.
    text_field: column of the solution.

    Yields the same rows in the same order, each with `status`, `answer_found`, `label`, `kept` and `reason`.

    Raises InputError for a row without problem, method or text, an unknown method, and two different reference answers
    for one problem.
    """
    held = list(rows)
    gold: dict[str, Answer] = {}
    solutions: dict[str, list[Solution]] = {}
    for number, row in enumerate(held, 1):
        _check(row, number, text_field, gold)
    with ThreadPoolExecutor(workers) as pool:
        verdicts = pool.map(lambda row: verify(row["method"], row[text_field]), held)
        for number, (row, verdict) in enumerate(zip(held, verdicts, strict=True), 1):
            solution = _solution(row, number, row[text_field], verdict)
            solutions.setdefault(solution.problem_id, []).append(solution)
    solution_filter = SolutionFilter(config)
    found: dict[int, tuple[Solution, FilterDecision]] = {}
    for problem_id, group in solutions.items():
        decisions = solution_filter.label_and_decide(group, gold.get(problem_id), round=1)
        found |= {s.sample: (s, decision) for s, decision in zip(group, decisions, strict=True)}
    surplus = over_balance((decision for _, decision in found.values()), config.balance)
    for number, row in enumerate(held, 1):
        solution, decision = found[number]
        dropped = solution.solution_id in surplus
        yield {
            **row,
            "status": solution.status,
            "answer_found": solution.answer,
            "label": decision.label,
            "kept": decision.kept and not dropped,
            "reason": "balance" if dropped else decision.reason,
        }


def _check(row: Mapping[str, Any], number: int, text_field: str, gold: dict[str, Answer]) -> None:
    """Check one row and note its reference answer."""
    for field in ("problem_id", "method", text_field):
        if row.get(field) is None:
            raise InputError(f"row {number}: field `{field}` is missing")
    if str(row["method"]) not in METHODS:
        raise InputError(f"row {number}: method: `{row['method']}` is none of {', '.join(sorted(METHODS))}")
    if not isinstance(row[text_field], str):
        raise InputError(f"row {number}: {text_field}: expected text, found {type(row[text_field]).__name__}")
    if row.get("answer") is None:
        return
    problem_id = str(row["problem_id"])
    answer = None if isinstance(row["answer"], dict | list) else read_answer(str(row["answer"]))
    if answer is None:
        raise InputError(f"row {number}: answer: `{str(row['answer'])[:200]}` cannot be read")
    if gold.setdefault(problem_id, answer).key != answer.key:
        raise InputError(
            f"row {number}: answer: `{row['answer']}`, but an earlier row of problem `{problem_id}` says "
            f"`{gold[problem_id].text}`"
        )


def _solution(row: Mapping[str, Any], number: int, text: str, verdict: Verdict) -> Solution:
    """A row as a solution whose sample is the row's number, so that earlier rows go first."""
    return Solution(
        solution_id=str(number), problem_id=str(row["problem_id"]), round=1, method=row["method"], sample=number,
        checkpoint="", seed=0, prompt="", text=text, finish_reason="stop", tokens=0,
        status=verdict.status, answer=verdict.answer, key=verdict.key,
    )  # fmt: skip
