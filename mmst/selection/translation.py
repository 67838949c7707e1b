"""Which kept solutions are rewritten into which methods (MMST, section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, zip_longest
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
