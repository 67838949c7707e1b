"""Labels: the answer that a round trusts for a problem, and which answers are equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from mmst.verify.answers import Answer, Comparison, compare_answers, read_answer

if TYPE_CHECKING:
    from mmst.config import FilterConfig
    from mmst.records import Solution

Choice = TypeVar("Choice", bound=Hashable)
Compare = Callable[[Answer, Answer], Comparison | None]
"""Compares two answers; None, or an `equal` of None, is undecided."""


@dataclass(frozen=True, slots=True)
class Label:
    """The answer that is trusted for a problem.

    `answer` is its text and `key` its canonical form, both None where no answer is trusted; `source` is gold or
    agreement. `support` (0 to 1) is the share of the native samples that give it: for agreement of all samples, for a
    gold label of those that give any answer.
    """

    key: str | None = None
    answer: str | None = None
    source: str | None = None
    support: float = 0.0


def label_problem(
    solutions: Sequence[Solution],
    reference: Answer | None,
    config: FilterConfig,
    round: int,
    compare: Compare = compare_answers,
) -> Label:
    """The label of one problem, from its solutions in one round and its reference answer.

    A reference answer is a gold label, unless `config.label` is `agreement`. Agreement is self-consistency (Wang et
    al. 2022) across methods: each method votes for the answer that it gives most often (a tie is no vote), and the
    answer with most votes needs enough methods, samples and support.
    """
    native = [s for s in solutions if s.origin_id is None]
    if reference is not None and config.label != "agreement":
        right = [matches(reference, s, compare) is True for s in native if s.status == "ok"]
        return Label(reference.key, reference.text, "gold", sum(right) / max(1, len(right)))
    if config.label == "gold":
        return Label()
    by_method: dict[str, list[str]] = {}
    for solution in merged(native, compare):
        by_method.setdefault(solution.method, []).append(str(solution.key))
    votes = Counter(filter(None, map(plurality, by_method.values())))
    key = plurality(votes.elements())
    samples = sum(keys.count(key) for keys in by_method.values()) if key else 0
    wanted, support = config.agreement, samples / max(1, len(native))
    share = wanted.share if wanted.raise_to is None or round < 2 else wanted.raise_to
    if key is None or votes[key] < wanted.methods or samples < wanted.min_samples or support < share:
        return Label()
    return Label(key, next(s.answer for s in sorted(native, key=order) if s.key == key), "agreement", support)


def matches(
    reference: Answer, solution: Solution, compare: Compare = compare_answers, *, gold: bool = True
) -> bool | None:
    """Whether a solution gives the reference answer; None if that cannot be decided. `gold` as in `same`."""
    if solution.status != "ok" or solution.key is None:
        return False
    if solution.key == reference.key:
        return True
    answer = read_answer(solution.answer or "")
    return same(reference, answer, compare, gold=gold) if answer else False


def same(reference: Answer, answer: Answer, compare: Compare = compare_answers, *, gold: bool = True) -> bool | None:
    """Whether two answers with different keys are equal; None if that cannot be decided.

    Against a `gold` reference `compare` decides. Two model outputs are also equal if one is the other rounded
    (33.33 and 33.333333).
    """
    numbers = reference.kind == answer.kind == "number"
    if numbers and reference.places < 0 and answer.places < 0 and not (reference.other or answer.other):
        return False  # Exact numbers are equal only by key. This is the common case, and `compare` costs 0.2 ms.
    comparison = compare(reference, answer)
    if comparison is None or comparison.equal is not False:
        return comparison.equal if comparison else None
    return numbers and not gold and _rounded(*sorted((reference, answer), key=lambda each: each.places))


def _rounded(short: Answer, long: Answer) -> bool:
    """Whether a decimal (2 places and 3 digits or more) is a longer one (4 places or more), rounded."""
    if not (2 <= short.places < long.places >= 4 and short.digits >= 3):
        return False
    return abs(Fraction(short.key) - Fraction(long.key)) * 2 * 10**short.places <= 1


def merged(solutions: Sequence[Solution], compare: Compare = compare_answers) -> list[Solution]:
    """The solutions of one problem that have an answer, with one key for equal answers.

    The key is that of the most exactly written answer, so an exact answer never takes the key of a rounded one. A
    rounded answer that equals several different ones keeps its own key.
    """
    readable = [s for s in solutions if s.status == "ok" and s.key is not None]
    texts = {s.key: s.answer or "" for s in reversed(readable)}
    answers = {key: read_answer(text) or Answer(text, "text", str(key)) for key, text in texts.items()}
    keys: dict[str | None, str | None] = {}
    for key in sorted(answers, key=lambda key: (answers[key].places >= 0, -answers[key].places, str(key))):
        exacter = [k for k, head in keys.items() if k == head and same(answers[k], answers[key], compare, gold=False)]
        keys[key] = exacter[0] if len(exacter) == 1 else key
    return [replace(s, key=keys[s.key]) for s in readable]


def plurality(answers: Iterable[Choice]) -> Choice | None:
    """The most frequent answer; None for a tie, and for no answers."""
    counts = Counter(answers).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return None
    return counts[0][0]


def order(solution: Solution) -> tuple[int, int, str]:
    """Sorts solutions of one problem and method independently of when they arrived."""
    return solution.round, solution.sample, solution.solution_id
