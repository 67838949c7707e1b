"""From every method's answer to every problem to the figures of a round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from mmst.evaluation.ensemble import Answers, cascade, vote, weighted
from mmst.evaluation.statistics import mcnemar, phi, wilson


@dataclass(frozen=True)
class Outcome:
    """What all methods answered to one problem.

    `keys` has the canonical answer of each method, none where it gave no answer; `gold` is the reference's, none
    where there is none. `slices` names groups of problems that are also reported apart; `further` are the answers of
    further samples, which only votes look at. `aside` has answers that were given with help from the data: they are
    reported over the problems where there is such help, and have no vote.
    """

    problem_id: str
    keys: Mapping[str, str | None]
    gold: str | None
    slices: frozenset[str] = frozenset()
    further: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    aside: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def answers(self) -> Answers:
        """Every sample of every method."""
        return {method: (key, *self.further.get(method, ())) for method, key in self.keys.items()}

    def right(self, key: str | None) -> bool:
        """Whether an answer equals the reference."""
        return key is not None and key == self.gold


def figures_of(
    outcomes: Sequence[Outcome],
    methods: Sequence[str],
    trust: Mapping[str, float] | None = None,
    order: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The figures of one set of problems.

    Parameters
    ----------
    outcomes, methods: what was answered, and the methods to report.
    trust: accuracy of each method on dev problems, for votes; none takes that on these problems.
    order: of the methods in a cascade; none takes `methods`.

    Returns
    -------
    `n` problems, of which `answered` have a reference answer; over these `accuracy` of each method, `vote` and `any`
    with 95 % `intervals` (Wilson), the same of each way to combine methods (`ensembles`), `slices` with the same
    apart, and `phi` of each two methods' successes, over all problems and over those that at least one of all methods
    solved (there it is negative by construction). `agreement`: share of problems on which at least two methods give
    the same answer and none more often another, and how often that answer is right. Without reference answers
    accuracies are none. `right` lists the problems that each method solved, for paired tests.
    """
    answered = [outcome for outcome in outcomes if outcome.gold is not None]
    right = {method: {o.problem_id for o in answered if o.right(o.keys.get(method))} for method in methods}
    if trust is None:
        trust = {method: len(solved) / max(1, len(answered)) for method, solved in right.items()}
    combined = {
        "vote": {o.problem_id for o in answered if o.right(vote(o.answers, trust).key)},
        "weighted": {o.problem_id for o in answered if o.right(weighted(o.answers, trust).key)},
        "cascade": {o.problem_id for o in answered if o.right(cascade(o.answers, order or methods).key)},
    }
    right["vote"] = combined["vote"]
    right["any"] = set().union(*(right[method] for method in methods))
    aside = sorted({name for o in answered for name in o.aside})
    for name in aside:
        right[name] = {o.problem_id for o in answered if o.right(o.aside.get(name))}
    names = sorted({name for outcome in answered for name in outcome.slices})
    return {
        **_accuracy(answered, right, aside),
        "n": len(outcomes),
        "answered": len(answered),
        "ensembles": _accuracy(answered, combined),
        "slices": {name: _accuracy([o for o in answered if name in o.slices], right, aside) for name in names},
        "agreement": _agreement(outcomes),
        "phi": {f"{a}-{b}": _phis(answered, right, a, b) for a, b in combinations(methods, 2)},
        "right": {name: sorted(solved) for name, solved in right.items()},
    }


def _accuracy(outcomes: Sequence[Outcome], right: Mapping[str, set[str]], aside: Sequence[str] = ()) -> dict[str, Any]:
    n = len(outcomes)
    if not n:
        return {"n": 0, "accuracy": None, "intervals": None}
    tried = {name: [o for o in outcomes if name not in aside or name in o.aside] for name in right}
    counts = {name: (sum(o.problem_id in right[name] for o in of), len(of)) for name, of in tried.items() if of}
    return {
        "n": n,
        "accuracy": {name: count / total for name, (count, total) in counts.items()},
        "intervals": {name: wilson(count, total) for name, (count, total) in counts.items()},
    }


def _agreement(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """How often methods agree, and how often what they agree on is right."""
    total = agreed = verified = right = 0
    for outcome in outcomes:
        total += 1
        counts = Counter(key for key in outcome.keys.values() if key is not None).most_common(2)
        if counts and counts[0][1] >= 2 and (len(counts) == 1 or counts[0][1] > counts[1][1]):
            agreed += 1
            verified += outcome.gold is not None
            right += outcome.right(counts[0][0])
    return {
        "share": agreed / total if total else 0.0,
        "precision": right / verified if verified else None,
        "interval": wilson(right, verified) if verified else None,
    }


def _phis(outcomes: Sequence[Outcome], right: Mapping[str, set[str]], a: str, b: str) -> dict[str, float | None]:
    cells = Counter((o.problem_id in right[a], o.problem_id in right[b]) for o in outcomes)
    both, first, second = cells[True, True], cells[True, False], cells[False, True]
    solved = sum(o.problem_id in right["any"] for o in outcomes)
    return {
        "all": phi(both, first, second, cells[False, False]),
        "any_solved": phi(both, first, second, solved - both - first - second),
    }


def paired(before: Mapping[str, Iterable[str]], after: Mapping[str, Iterable[str]]) -> dict[str, dict[str, float]]:
    """Exact McNemar test of each method's successes against an earlier round's on the same problems.

    Takes the `right` of both; returns `gained`, `lost` and the two-sided `p`.
    """
    result = {}
    for name in after:
        if name in before:
            then, now = set(before[name]), set(after[name])
            gained, lost = len(now - then), len(then - now)
            result[name] = {"gained": gained, "lost": lost, "p": mcnemar(gained, lost)}
    return result
