"""Rejection sampling: which solutions are kept, and the reason for each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mmst.methods import METHODS
from mmst.records import FilterDecision, Solution
from mmst.selection.labels import Compare, Label, label_problem, matches, order
from mmst.verify.answers import Answer, compare_answers, read_answer

if TYPE_CHECKING:
    from mmst.config import FilterConfig


from itertools import islice, zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmst.config import TranslateConfig
    from mmst.methods.method import Method
    from mmst.records import Solution


class SolutionFilter:
    """Decides which solutions are kept, given those that were kept before.

    `compare` compares answers with labels. `must_calculate` drops solutions that only state their answer, as a model
    may that was given the answer. Memory is 8 bytes of key and a counter per kept solution; texts are not held.
    """

    def __init__(
        self, config: FilterConfig, compare: Compare = compare_answers, *, must_calculate: bool = False
    ) -> None:
        self.config, self.compare, self.must_calculate = config, compare, must_calculate
        self._seen: set[bytes] = set()
        self._native: Counter[tuple[str, str]] = Counter()

    def remember(self, kept: Iterable[Solution]) -> None:
        """Count solutions that earlier rounds (or stages) kept, native and translated."""
        for solution in kept:
            self._remember(solution, self._digest(solution))

    def label_and_decide(
        self, solutions: Sequence[Solution], reference: Answer | None, round: int
    ) -> list[FilterDecision]:
        """Label one problem (see `label_problem`) and decide on its solutions, in their order."""
        return self.decide(solutions, label_problem(solutions, reference, self.config, round, self.compare))

    def decide(self, solutions: Sequence[Solution], label: Label) -> list[FilterDecision]:
        """Decide on solutions of one labelled problem, in their order.

        Round, sample and id decide which of several equal solutions is kept, not their order.
        """
        reference = read_answer(label.answer) if label.answer is not None else None
        reasons = {s.solution_id: self._reason(s, label, reference) for s in sorted(solutions, key=order)}
        return [
            FilterDecision(
                s.solution_id, s.problem_id, s.method, label.answer, label.key, label.source, label.support,
                kept=reasons[s.solution_id] == "kept", reason=reasons[s.solution_id],
            )
            for s in solutions
        ]  # fmt: skip

    def _reason(self, solution: Solution, label: Label, reference: Answer | None) -> str:
        if solution.status != "ok":
            return f"not_ok:{solution.status}"
        if label.key is None:
            return "no_label"
        if solution.key != label.key:
            right = reference and matches(reference, solution, self.compare, gold=label.source == "gold")
            if not right:
                return "undecided" if right is None and reference else "wrong"
        method, text = METHODS[solution.method], solution.visible
        if self.must_calculate and not method.calculates(text):
            return "no_calculation"
        if self.config.check_calculations and (false := method.false_calculation(text)) is not None:
            return f"calculation: {false}"
        digest = self._digest(solution)
        if digest in self._seen:
            return "duplicate"
        if solution.origin_id is None and self._native[solution.problem_id, solution.method] >= self.config.cap:
            return "cap"
        self._remember(solution, digest)
        return "kept"

    def _remember(self, solution: Solution, digest: bytes) -> None:
        self._seen.add(digest)
        self._native[solution.problem_id, solution.method] += solution.origin_id is None

    def _digest(self, solution: Solution) -> bytes:
        key = METHODS[solution.method].duplicate_key(solution.visible)
        return _hash("\0".join((solution.problem_id, solution.method, key)))


def over_balance(decisions: Iterable[FilterDecision], factor: float | None) -> set[str]:
    """Ids of kept solutions to drop so that no method has more than `factor` times the rows of the smallest method.

    A method that kept nothing does not count. A problem's further solutions go before its only one; a hash of the id
    decides between equals. Without a factor nothing is dropped.
    """
    by_method: dict[str, list[FilterDecision]] = {}
    for row in decisions if factor is not None else ():
        if row.kept:
            by_method.setdefault(row.method, []).append(row)
    most = max(1, int((factor or 0) * min(map(len, by_method.values()), default=0)))
    surplus: set[str] = set()
    for rows in by_method.values():
        copies: Counter[str] = Counter()
        ranked = []
        for row in sorted(rows, key=lambda row: _hash(row.solution_id)):
            copies[row.problem_id] += 1
            ranked.append((copies[row.problem_id], row.solution_id))
        surplus.update(name for _, name in sorted(ranked, key=lambda pair: pair[0])[most:])
    return surplus


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def tally(decisions: Iterable[FilterDecision], methods: Iterable[str]) -> dict[str, Any]:
    """The figures of decisions: `solutions`, `kept`, `kept_by_method`, `problems_with_kept`, and `reasons`, most
    frequent first, without the calculation that a reason quotes."""
    reasons: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    problems = set()
    for row in decisions:
        reasons[row.reason.partition(": ")[0]] += 1
        if row.kept:
            kept[row.method] += 1
            problems.add(row.problem_id)
    return {
        "solutions": reasons.total(),
        "kept": kept.total(),
        "kept_by_method": {method: kept[method] for method in methods},
        "problems_with_kept": len(problems),
        "reasons": dict(reasons.most_common()),
    }


def plan_translations(
    kept: Iterable[Solution], methods: Sequence[Method], config: TranslateConfig
) -> list[tuple[Solution, Method]]:
    """Pair every kept native solution with each other method, at most `config.per_problem` per problem and target.

    If there are more, their methods take turns, each with its earliest sample first. The plan is sorted by problem and
    target, independently of the order of the solutions.
    """
    by_problem: dict[str, dict[str, list[Solution]]] = {}
    for solution in sorted(kept, key=order):
        if solution.origin_id is None:
            by_problem.setdefault(solution.problem_id, {}).setdefault(solution.method, []).append(solution)
    plan = []
    for _, by_method in sorted(by_problem.items()):
        for target in methods:
            sources = [rows for method, rows in sorted(by_method.items()) if method != target.name]
            in_turn = (row for turn in zip_longest(*sources) for row in turn if row)
            plan += [(row, target) for row in islice(in_turn, config.per_problem)]
    return plan
