"""Which solutions are kept: those that equal the label, once, not too many of them, with a reason for each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmst.selection.labels import Label, order

if TYPE_CHECKING:
    from mmst.config import FilterConfig
    from mmst.records import Solution


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a solution is kept, and the reason.

    Reasons begin with kept, not_ok:<status>, no_label, wrong, calculation, duplicate, cap or balance.
    """

    kept: bool
    reason: str


KEPT = Decision(True, "kept")


class SolutionFilter:
    """Decides the decision of solutions, with what was kept before in mind.

    Parameters
    ----------
    config
        Caps, and whether false calculations matter.
    duplicate_key
        (method, text) to a key; solutions of one problem and method with the same key are duplicates.
    false_calculation
        (method, text) to a calculation that does not hold, as written; none where there is none.

    Memory is 8 bytes of key and a counter per kept solution of all rounds; the texts are not held.
    """

    def __init__(
        self,
        config: FilterConfig,
        duplicate_key: Callable[[str, str], str],
        false_calculation: Callable[[str, str], str | None],
    ) -> None:
        self.config = config
        self.duplicate_key = duplicate_key
        self.false_calculation = false_calculation
        self._seen: set[bytes] = set()
        self._native: Counter[tuple[str, str]] = Counter()

    def remember(self, kept: Iterable[Solution]) -> None:
        """Count what earlier rounds (or stages) kept, native and translated."""
        for solution in kept:
            self._remember(solution, self._digest(solution))

    def decide(self, solutions: Sequence[Solution], label: Label) -> list[Decision]:
        """The decisions of all solutions of one problem that a stage made, in the order of the solutions.

        Between equals the round, the sample and the solution's id decide, whatever order they are given in.
        """
        decisions: dict[int, Decision] = {}
        for index in sorted(range(len(solutions)), key=lambda index: order(solutions[index])):
            decisions[index] = self._decide(solutions[index], label)
        return [decisions[index] for index in range(len(solutions))]

    def _decide(self, solution: Solution, label: Label) -> Decision:
        if solution.status != "ok":
            return Decision(False, f"not_ok:{solution.status}")
        if label.key is None:
            return Decision(False, "no_label")
        if solution.key != label.key:
            return Decision(False, "wrong")
        if self.config.check_calculations:
            false = self.false_calculation(solution.method, solution.text)
            if false is not None:
                return Decision(False, f"calculation: {false}")
        digest = self._digest(solution)
        if digest in self._seen:
            return Decision(False, "duplicate")
        if solution.origin_id is None and self._native[_place(solution)] >= self.config.cap:
            return Decision(False, "cap")
        self._remember(solution, digest)
        return KEPT

    def _remember(self, solution: Solution, digest: bytes) -> None:
        self._seen.add(digest)
        self._native[_place(solution)] += solution.origin_id is None

    def _digest(self, solution: Solution) -> bytes:
        key = self.duplicate_key(solution.method, solution.text)
        text = "\0".join((solution.problem_id, solution.method, key))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _place(solution: Solution) -> tuple[str, str]:
    return solution.problem_id, solution.method


def over_balance(kept: Iterable[tuple[str, str, str]], factor: float | None) -> set[str]:
    """Solutions that must go so that no method has more than `factor` times the rows of the one with fewest.

    Parameters
    ----------
    kept
        (solution_id, problem_id, method) of every solution that a round keeps otherwise.
    factor
        `filter.balance`; none drops nothing. A method that kept nothing does not count.

    Returns
    -------
    Ids of solutions whose decision becomes `balance`. A problem's further solutions go before its only one; between
    equals a hash of the id decides.
    """
    if factor is None:
        return set()
    by_method: dict[str, list[tuple[str, str]]] = {}
    for solution_id, problem_id, method in kept:
        by_method.setdefault(method, []).append((solution_id, problem_id))
    if not by_method:
        return set()
    most = max(1, int(factor * min(map(len, by_method.values()))))
    return {solution_id for rows in by_method.values() for solution_id in _first_to_stay(rows)[most:]}


def _first_to_stay(rows: list[tuple[str, str]]) -> list[str]:
    copies: Counter[str] = Counter()
    ranked = []
    for solution_id, problem_id in sorted(rows, key=lambda row: _hash(row[0])):
        copies[problem_id] += 1
        ranked.append((copies[problem_id], solution_id))
    return [solution_id for _, solution_id in sorted(ranked, key=lambda row: row[0])]


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def reasons(decisions: Iterable[Decision]) -> Mapping[str, int]:
    """How many solutions met each decision, most frequent first, without the details behind a colon of `calculation`."""
    return dict(Counter(f.reason.partition(": ")[0] for f in decisions).most_common())
