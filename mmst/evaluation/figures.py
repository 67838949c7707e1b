"""The figures of a round, from every method's answers to every problem."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any

from mmst.evaluation.ensemble import Answers, cascade, vote, weighted

_Z = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    share, square = successes / n, _Z * _Z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = _Z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    # Rounding errors at shares of 0 and 1 must not exclude the share itself.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided p-value of the exact McNemar test: `gained` problems turned right, `lost` ones turned wrong."""
    n = gained + lost
    if n == 0:
        return 1.0
    logs = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(min(gained, lost) + 1)]
    return min(1.0, 2 * math.fsum(math.exp(value - n * math.log(2)) for value in logs))


def phi(both: int, only_first: int, only_second: int, neither: int) -> float | None:
    """Correlation of two binary outcomes over problems (Pearson's phi); None where one of them never varies."""
    first, second = both + only_first, both + only_second
    rest = (only_second + neither) * (only_first + neither)
    if not first * second * rest:
        return None
    return (both * neither - only_first * only_second) / math.sqrt(first * second * rest)


def pass_at_k(n: int, right: int, k: int) -> float:
    """Probability that at least one of k samples is right, from n samples of which `right` are (Chen et al. 2021)."""
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


ENSEMBLES = ("vote", "weighted", "cascade")


@dataclass(frozen=True)
class Outcome:
    """The answers of all methods to one problem.

    answers: canonical answers by method, one per sample, the greedy one first; None where a sample gave no answer.
    right: those canonical answers that equal the reference answer; None for a problem without one.
    slices: groups of problems that this one belongs to; each is also reported separately.
    aside: answers given with help from the data, by name. They are reported over the problems that have such help,
        and have no vote.
    """

    problem_id: str
    answers: Answers
    right: Collection[str | None] | None
    slices: frozenset[str] = frozenset()
    aside: Mapping[str, str | None] = field(default_factory=dict)

    def is_right(self, answer: str | None) -> bool:
        """Whether an answer equals the reference."""
        return answer is not None and answer in (self.right or ())


def figures_of(
    outcomes: Sequence[Outcome],
    methods: Sequence[str],
    trust: Mapping[str, float] | None = None,
    order: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The figures of one set of problems.

    `trust` is the accuracy of each method on dev problems, for votes (None: on these problems); `order` the order of
    the methods in a cascade (None: `methods`).

    Returns
    -------
    n, answered: number of problems, and of those with a reference answer. All but `agreement` is about the latter.
    accuracy, intervals: of each method's greedy answer, of `vote` (majority vote over methods and samples) and of
        `any` (at least one method is right), with 95 % Wilson intervals. None without reference answers.
    pass@k, maj@k: {method: {k: share}} where methods have several samples: at least one of k samples is right
        (unbiased estimator, Chen et al. 2021), and the majority of all k samples is right. `any` in `pass@k` takes k
        samples of every method.
    ensembles: accuracy and intervals of `vote`, `weighted` and `cascade`.
    slices: n, accuracy and intervals of each group of problems.
    agreement: share of problems on which at least two methods give the same answer and no other answer has as many
        methods; how often that answer is right (`precision`).
    phi: correlation of each two methods' successes, over all problems and over those that some method solved (the
        latter is negative by construction).
    problem_ids: the problems with a reference answer, in order.
    right: {name: ids of the problems that it solved, in order} for every method, `vote`, `weighted`, `cascade` and
        `any`. Per-problem correctness for paired tests: 1 for an id that is listed, 0 for the rest of `problem_ids`.
    """
    answered = [outcome for outcome in outcomes if outcome.right is not None]
    aside = sorted({name for o in answered for name in o.aside})
    right = _right(answered, methods, aside, trust, order or methods)
    solved = {name: frozenset(ids) for name, ids in right.items()}
    reported = [*methods, "vote", "any", *aside]
    return {
        **_accuracy(answered, solved, reported, aside),
        "n": len(outcomes),
        "answered": len(answered),
        **_of_samples(answered, methods),
        "ensembles": _accuracy(answered, solved, ENSEMBLES),
        "slices": {
            name: _accuracy([o for o in answered if name in o.slices], solved, reported, aside)
            for name in sorted({name for o in answered for name in o.slices})
        },
        "agreement": _agreement(outcomes),
        "phi": {f"{a}-{b}": _phis(answered, solved, a, b) for a, b in combinations(methods, 2)},
        "problem_ids": [o.problem_id for o in answered],
        "right": right,
    }


def _right(
    outcomes: Sequence[Outcome],
    methods: Sequence[str],
    aside: Sequence[str],
    trust: Mapping[str, float] | None,
    order: Sequence[str],
) -> dict[str, list[str]]:
    """The ids of the problems that each method and ensemble solved."""

    def ids(answer: Callable[[Outcome], str | None]) -> list[str]:
        return [o.problem_id for o in outcomes if o.is_right(answer(o))]

    right = {method: ids(partial(_greedy, method=method)) for method in methods}
    known = trust if trust is not None else {m: len(solved) / max(1, len(outcomes)) for m, solved in right.items()}
    right["vote"] = ids(lambda o: vote(o.answers, known).key)
    right["weighted"] = ids(lambda o: weighted(o.answers, known).key)
    right["cascade"] = ids(lambda o: cascade(o.answers, order).key)
    right["any"] = ids(lambda o: next((key for m in methods if o.is_right(key := _greedy(o, m))), None))
    return right | {name: [o.problem_id for o in outcomes if o.is_right(o.aside.get(name))] for name in aside}


def without_problems(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of one set without what they list per problem."""
    return {name: value for name, value in figures.items() if name not in ("problem_ids", "right")}


def _greedy(outcome: Outcome, method: str) -> str | None:
    return next(iter(outcome.answers.get(method, ())), None)


def _accuracy(
    outcomes: Sequence[Outcome], solved: Mapping[str, frozenset[str]], names: Sequence[str], aside: Sequence[str] = ()
) -> dict[str, Any]:
    if not outcomes:
        return {"n": 0, "accuracy": None, "intervals": None}
    tried = {name: [o for o in outcomes if name not in aside or name in o.aside] for name in names}
    counts = {name: (sum(o.problem_id in solved[name] for o in of), len(of)) for name, of in tried.items() if of}
    return {
        "n": len(outcomes),
        "accuracy": {name: count / total for name, (count, total) in counts.items()},
        "intervals": {name: wilson(count, total) for name, (count, total) in counts.items()},
    }


def _of_samples(outcomes: Sequence[Outcome], methods: Sequence[str]) -> dict[str, Any]:
    """pass@k for k = 1, 2, 4, ... and all n samples, and maj@n; nothing for a single sample."""
    n = max((len(answers) for o in outcomes for answers in o.answers.values()), default=1)
    if n == 1:
        return {}
    passed: dict[str, dict[str, float]] = {name: {} for name in (*methods, "any")}
    for k in sorted({*(2**power for power in range(n.bit_length()) if 2**power < n), n}):
        missed = [
            [1 - pass_at_k(len(o.answers[m]), sum(map(o.is_right, o.answers[m])), k) for m in methods] for o in outcomes
        ]
        for name, shares in zip(methods, zip(*missed, strict=True), strict=True):
            passed[name][str(k)] = 1 - math.fsum(shares) / len(outcomes)
        passed["any"][str(k)] = 1 - math.fsum(map(math.prod, missed)) / len(outcomes)
    majority = {m: sum(o.is_right(vote({m: o.answers[m]}, {}).key) for o in outcomes) for m in methods}
    return {"pass@k": passed, "maj@k": {m: {str(n): count / len(outcomes)} for m, count in majority.items()}}


def _agreement(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """How often methods agree, and how often the answer on which they agree is right."""
    total = agreed = verified = right = 0
    for outcome in outcomes:
        total += 1
        greedy = (_greedy(outcome, method) for method in outcome.answers)
        counts = Counter(key for key in greedy if key is not None).most_common(2)
        if counts and counts[0][1] >= 2 and (len(counts) == 1 or counts[0][1] > counts[1][1]):
            agreed += 1
            verified += outcome.right is not None
            right += outcome.is_right(counts[0][0])
    return {
        "share": agreed / total if total else 0.0,
        "precision": right / verified if verified else None,
        "interval": wilson(right, verified) if verified else None,
    }


def _phis(outcomes: Sequence[Outcome], solved: Mapping[str, frozenset[str]], a: str, b: str) -> dict[str, float | None]:
    cells = Counter((o.problem_id in solved[a], o.problem_id in solved[b]) for o in outcomes)
    both, first, second = cells[True, True], cells[True, False], cells[False, True]
    return {
        "all": phi(both, first, second, cells[False, False]),
        "any_solved": phi(both, first, second, len(solved["any"]) - both - first - second),
    }


def paired(before: Mapping[str, Iterable[str]], after: Mapping[str, Iterable[str]]) -> dict[str, dict[str, float]]:
    """Exact McNemar test of each method's successes against an earlier round's on the same problems.

    Takes the `right` of both; returns `gained`, `lost` and the two-sided `p` of each name in both.
    """
    result = {}
    for name in (name for name in after if name in before):
        then, now = set(before[name]), set(after[name])
        gained, lost = len(now - then), len(then - now)
        result[name] = {"gained": gained, "lost": lost, "p": mcnemar(gained, lost)}
    return result
