"""Synthetic word problems with exact solutions in every view, by construction.

A problem is a graph of quantities (`graph`), put into words (`wording`) and solved in every annotation style
(`views`). Number combinations, phrasings and numbers of calculations are held out for the test set by a hash, so
they never occur in another set.
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
"""Consecutive draws without a new question after which a specification counts as too narrow."""


def _reserved(text: str, share: float, seed: int) -> bool:
    digest = hashlib.blake2b(f"{seed}:{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def _distractor(graph: Graph, spec: SyntheticSpec, rng: random.Random) -> Clause:
    slots = graph.statements[0].slots
    other = rng.choice([thing for thing in THINGS[: spec.things] if thing != slots["s"]])
    n = rng.randint(spec.smallest, spec.largest)
    return Clause("distractor", {"p": slots["p"], "n": n, "other": other + "s"})


def _draw(spec: SyntheticSpec, held_out: str, rng: random.Random) -> Problem | None:
    """Draw one problem; None if it is of the wrong kind. `held_out` is `numbers`, `phrasing`, `steps` or empty."""
    weights = spec.held_out_steps if held_out == "steps" else spec.steps
    (steps,) = rng.choices(list(weights), list(weights.values()))
    graph = draw_graph(spec, steps, rng)
    distractor = _distractor(graph, spec, rng) if rng.random() < spec.distractors else None
    by_wording = spec.held_out_phrasing == "wording"
    known = range(spec.wordings - 1) if by_wording else range(spec.wordings)
    new = by_wording and held_out == "phrasing"
    one = range(spec.wordings - 1, spec.wordings) if new else known
    worded = put_into_words(graph, distractor, known, one, rng)
    new_phrasing = new or (not by_wording and _reserved(worded.phrasing, spec.held_out_phrasings, spec.seed))
    numbers = " ".join(map(str, sorted(graph.stated)))
    new_numbers = _reserved(numbers, spec.held_out_numbers, spec.seed)
    if held_out != "steps" and (new_numbers, new_phrasing) != (held_out == "numbers", held_out == "phrasing"):
        return None
    return Problem(
        id="",
        question=worded.question,
        answer=str(graph.steps[-1].value),
        views=exact_views(graph, worded.final, [*spec.views, *spec.views_everywhere]),
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
    """Endless problems of one kind with different questions. Raises InputError when no new questions are found."""
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
    """Draw `wanted` problems by kind, with these views only."""
    rng = random.Random(f"{spec.seed}:{split}")
    drawn = [p for kind, count in wanted.items() for p in islice(_stream(spec, kind, seen, rng), count)]
    rng.shuffle(drawn)
    taken = []
    for i, problem in enumerate(drawn):
        shown = {name: view for name, view in problem.views.items() if name in views}
        update = {"id": f"synthetic-{split}-{i:05d}", "split": split, "views": shown}
        taken.append(problem.model_copy(update=update))
    return taken


def generate(spec: SyntheticSpec, count: int, split: str = "train") -> list[Problem]:
    """`count` different problems with all of `spec.views`, none of them held out.

    Raises InputError for a specification that is too narrow for this many different questions.
    """
    return _take(spec, split, {"": count}, set(), spec.views)


def make_sets(spec: SyntheticSpec) -> dict[str, list[Problem]]:
    """The sets `test`, `dev`, `annotated` and `train`, without common questions.

    Test problems whose `meta["held_out"]` is `numbers`, `phrasing` or `steps` have a number combination, phrasing or
    number of calculations that no other set has. Annotated problems have `spec.views`, all others only
    `spec.views_everywhere`. Raises InputError for a specification that is too narrow.
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
