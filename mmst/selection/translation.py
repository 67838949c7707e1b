"""Which kept solutions are rewritten into which methods (MMST, section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mmst.selection.labels import order

if TYPE_CHECKING:
    from mmst.config import TranslateConfig
    from mmst.methods.method import Method
    from mmst.records import Solution


def plan_translations(
    kept: Iterable[Solution], methods: Sequence[Method], config: TranslateConfig
) -> list[tuple[Solution, Method]]:
    """Pair every kept native solution with each other method, at most `config.per_problem` per problem and target.

    If there are more, their methods take turns, each with its earliest sample first. The plan is sorted by problem,
    target and source, independently of the order of the solutions.
    """
    by_problem: dict[str, dict[str, list[Solution]]] = {}
    for solution in sorted(kept, key=order):
        if solution.origin_id is None:
            by_problem.setdefault(solution.problem_id, {}).setdefault(solution.method, []).append(solution)
    plan = []
    for problem_id in sorted(by_problem):
        for target in methods:
            sources = [rows for method, rows in sorted(by_problem[problem_id].items()) if method != target.name]
            turns = sorted(
                ((turn, number, row) for number, rows in enumerate(sources) for turn, row in enumerate(rows)),
                key=lambda entry: entry[:2],
            )
            plan += [(row, target) for *_, row in turns[: config.per_problem]]
    return plan
