"""Labels: the answer that a round trusts for a problem, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

from mmst.verify.answers import compare_answers, read_answer

if TYPE_CHECKING:
    from mmst.config import AgreementConfig, FilterConfig
    from mmst.records import Solution
    from mmst.verify.answers import Answer

Choice = TypeVar("Choice", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Label:
    """The answer that a problem is trusted to have.

    `key` is its canonical form and `answer` one way to write it, both none where nothing is trusted; `source` says
    what is trusted. `support` is the share of all readable samples that give the answer (0 to 1), and `methods` how
    many methods give it most often; both are known for a gold label too, and tell how well agreement would do.
    """

    key: str | None
    answer: str | None
    source: Literal["gold", "agreement"] | None
    support: float
    methods: int


def label_problem(solutions: Sequence[Solution], gold_key: str | None, config: FilterConfig, round: int) -> Label:
    """The label of one problem from its native solutions in one round; `gold_key` is none without a reference answer.

    Agreement counts methods, not only samples: a method speaks for the answer that it gives most often (a tie speaks
    for none), and the answer that most methods speak for needs enough of them and enough of all readable samples.
    """
    readable = [s for s in solutions if s.status == "ok" and s.key is not None and s.origin_id is None]
    by_method: dict[str, list[str]] = {}
    for solution in readable:
        by_method.setdefault(solution.method, []).append(str(solution.key))
    spoken = Counter(filter(None, map(plurality, by_method.values())))
    samples = Counter(solution.key for solution in readable)

    def label(key: str | None, source: Literal["gold", "agreement"] | None) -> Label:
        answer = next((s.answer for s in sorted(readable, key=order) if s.key == key), None)
        share = samples[key] / len(readable) if readable else 0.0
        return Label(key, answer, source, share, spoken[key] if key is not None else 0)

    if gold_key is not None and config.label != "agreement":
        return label(gold_key, "gold")
    if config.label != "gold":
        agreed = plurality(spoken.elements())
        if agreed is not None:
            found = label(agreed, "agreement")
            if found.methods >= config.agreement.methods and found.support >= _least_share(config.agreement, round):
                return found
    return Label(None, None, None, 0.0, 0)


def with_gold_key(solution: Solution, gold: Answer) -> Solution:
    """The solution, with the key of the reference answer where its own answer equals it otherwise than by key: by
    rounding to the places that the reference shows, and whatever else `answers/policy.py` grants."""
    if solution.status != "ok" or solution.key == gold.key:
        return solution
    answer = read_answer(solution.answer or "")
    same = answer and compare_answers(gold, answer)
    return replace(solution, key=gold.key) if same and same.equal else solution


def plurality(answers: Iterable[Choice]) -> Choice | None:
    """The answer that is given most often; none for none and for a tie."""
    counts = Counter(answers).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return None
    return counts[0][0]


def order(solution: Solution) -> tuple[int, int, str]:
    """What decides between solutions of one problem and method: never when they arrived."""
    return solution.round, solution.sample, solution.solution_id


def _least_share(agreement: AgreementConfig, round: int) -> float:
    raised = agreement.raise_to if round >= 2 else None
    return agreement.share if raised is None else raised
