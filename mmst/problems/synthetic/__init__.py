"""Synthetic word problems with exact solutions in every view, by construction.

A problem is a graph of quantities (`graph`) that is put into words (`wording`) and solved in every annotation
style (`views`). What a test must tell apart is held out by a hash of what it is about, so that it can never
appear elsewhere: number combinations, phrasings, numbers of calculations.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from itertools import islice

from mmst.config.synthetic import SyntheticSpec, View
from mmst.errors import InputError
from mmst.problems.synthetic.graph import THINGS, Clause, Graph, draw_graph
from mmst.problems.synthetic.views import exact_views
from mmst.problems.synthetic.wording import put_into_words
from mmst.records import Problem

__all__ = ["SyntheticSpec", "generate", "make_sets"]

MOST_DRAWS = 2000
"""Draws in a row that give nothing new before a specification counts as too narrow."""


def _reserved(text: str, share: float, seed: int) -> bool:
    digest = hashlib.blake2b(f"{seed}:{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def _combination(graph: Graph) -> str:
    return " ".join(map(str, sorted(graph.stated)))


def _distractor(graph: Graph, spec: SyntheticSpec, rng: random.Random) -> Clause:
    slots = graph.statements[0].slots
    other = rng.choice([thing for thing in THINGS[: spec.things] if thing != slots["s"]])
    n = rng.randint(spec.smallest, spec.largest)
    return Clause("distractor", {"p": slots["p"], "n": n, "other": other + "s"})


def _draw(spec: SyntheticSpec, held_out: str, rng: random.Random) -> Problem | None:
    """One problem of the wanted kind: `held_out` is `numbers`, `phrasing`, `steps` or empty; none if it is not."""
    weights = spec.held_out_steps if held_out == "steps" else spec.steps
    (steps,) = rng.choices(list(weights), list(weights.values()))
    graph = draw_graph(spec, steps, rng)
    distractor = _distractor(graph, spec, rng) if rng.random() < spec.distractors else None
    by_wording = spec.held_out_phrasing == "wording"
    known = range(spec.wordings - 1) if by_wording else range(spec.wordings)
    new = by_wording and held_out == "phrasing"
    one = range(spec.wordings - 1, spec.wordings) if new else known
    worded = put_into_words(graph, distractor, {"known": known, "one": one}, rng)
    new_phrasing = new or (not by_wording and _reserved(worded.phrasing, spec.held_out_phrasings, spec.seed))
    new_numbers = _reserved(_combination(graph), spec.held_out_numbers, spec.seed)
    if held_out != "steps" and (new_numbers, new_phrasing) != (held_out == "numbers", held_out == "phrasing"):
        return None
    return Problem(
        id="",
        question=worded.question,
        answer=str(graph.steps[-1].value),
        views=exact_views(graph, worded.asked, [*spec.views, *spec.views_everywhere]),
        source="synthetic",
        meta={
            "steps": steps,
            "numbers": list(graph.stated),
            "operations": [step.operator for step in graph.steps],
            "phrasing": worded.phrasing,
            "distractors": int(distractor is not None),
            "held_out": held_out,
        },
    )


def _stream(spec: SyntheticSpec, held_out: str, seen: set[str], rng: random.Random) -> Iterator[Problem]:
    """Problems of one kind without end, no question twice.

    Raises
    ------
    InputError
        The specification has no more different questions of this kind.
    """
    failures = 0
    while failures < MOST_DRAWS:
        problem = _draw(spec, held_out, rng)
        if problem is None or problem.question in seen:
            failures += 1
            continue
        failures = 0
        seen.add(problem.question)
        yield problem
    kind = f"held-out {held_out}" if held_out else "ordinary numbers and phrasings"
    raise InputError(
        f"problems.synthetic: no new question with {kind} in {MOST_DRAWS} draws, after {len(seen)} different ones. "
        "Ask for fewer problems, or widen the numbers, names, things, wordings or held-out shares."
    )


def _take(spec: SyntheticSpec, split: str, wanted: dict[str, int], seen: set[str], views: list[View]) -> list[Problem]:
    rng = random.Random(f"{spec.seed}:{split}")
    drawn = [p for kind, count in wanted.items() for p in islice(_stream(spec, kind, seen, rng), count)]
    rng.shuffle(drawn)
    return [
        p.model_copy(
            update={
                "id": f"synthetic-{split}-{i:05d}",
                "split": split,
                "views": {name: view for name, view in p.views.items() if name in views},
            }
        )
        for i, p in enumerate(drawn)
    ]


def generate(spec: SyntheticSpec, count: int, split: str = "train") -> list[Problem]:
    """`count` different problems with all of `spec.views`, nothing held out among them.

    Raises
    ------
    InputError
        The specification is too narrow for so many different questions.
    """
    return _take(spec, split, {"": count}, set(), spec.views)


def make_sets(spec: SyntheticSpec) -> dict[str, list[Problem]]:
    """The sets `test`, `dev`, `annotated` and `train`: no question is in two of them.

    A test problem whose `meta["held_out"]` is `numbers` (`phrasing`, `steps`) has a number combination (a
    phrasing, a number of calculations) that no problem of the other sets has. Only annotated problems carry views, but
    for `views_everywhere`.

    Raises
    ------
    InputError
        The specification is too narrow for so many different questions.
    """
    kinds = ["", "numbers", "phrasing", *(["steps"] if spec.held_out_steps else [])]
    test = {kind: spec.test * (i + 1) // len(kinds) - spec.test * i // len(kinds) for i, kind in enumerate(kinds)}
    seen: set[str] = set()
    return {
        "test": _take(spec, "test", test, seen, spec.views_everywhere),
        "dev": _take(spec, "dev", {"": spec.dev}, seen, spec.views_everywhere),
        "annotated": _take(spec, "annotated", {"": spec.annotated}, seen, spec.views),
        "train": _take(spec, "train", {"": spec.train}, seen, spec.views_everywhere),
    }
