"""Putting a graph of quantities into words."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import yaml

from mmst.problems.synthetic.graph import Clause, Graph

_SENTENCES = yaml.safe_load(Path(__file__).with_name("wordings.yaml").read_text(encoding="utf-8"))
WORDINGS: dict[str, list[str]] = _SENTENCES["wordings"]
"""Four ways to say each kind of clause."""
TELLINGS: dict[str, list[str]] = _SENTENCES["tellings"]
"""The answer sentence and the comment of each kind of calculation."""


@dataclass(frozen=True, slots=True)
class Worded:
    """A problem in words, the question in its last sentence, and its wordings: `kind.number` for each clause but the
    distractor."""

    question: str
    final: str
    phrasing: str


def put_into_words(graph: Graph, distractor: Clause | None, known: range, one: range, rng: random.Random) -> Worded:
    """Say every clause in one of its wordings, and the distractor anywhere after the first statement.

    `one` gives the numbers of the wordings for one clause, drawn at random, `known` those for all others.
    """
    clauses = [*graph.statements, graph.ask]
    special = rng.randrange(len(clauses))
    numbers = [rng.choice(one if i == special else known) for i in range(len(clauses))]
    sentences = [WORDINGS[c.kind][i].format(**c.slots) for c, i in zip(clauses, numbers, strict=True)]
    if distractor is not None:
        sentence = WORDINGS["distractor"][rng.choice(known)].format(**distractor.slots)
        sentences.insert(rng.randint(1, len(sentences) - 1), sentence)
    phrasing = " ".join(f"{c.kind}.{i}" for c, i in zip(clauses, numbers, strict=True))
    return Worded(" ".join(sentences), sentences[-1], phrasing)
