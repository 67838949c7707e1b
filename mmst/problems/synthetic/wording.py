"""Putting a graph of quantities into words. Every number has a space before it, so that it can be one token."""

from __future__ import annotations

import random
from dataclasses import dataclass

from mmst.problems.synthetic.graph import Clause, Graph

# Four ways to say each kind of clause. The last ones use only words of the others: they can be held out.
WORDINGS: dict[str, tuple[str, str, str, str]] = {
    "start": ("{p} has {n} {t}.", "{p} owns {n} {t}.", "At first {p} has {n} {t}.", "At first {p} owns {n} {t}."),
    "packs": (
        "{p} has {n} {c} with {m} {t} in each.",
        "{p} has {n} {c} and each {k} holds {m} {t}.",
        "{p} owns {n} {c} of {m} {t} each.",
        "{p} owns {n} {c} and each holds {m} {t}.",
    ),
    "gain": (
        "{p} buys {n} more {t}.",
        "{p} finds {n} {t}.",
        "Then {p} gets {n} more {t}.",
        "Then {p} finds {n} more {t}.",
    ),
    "lose": (
        "{p} gives away {n} {t}.",
        "{p} loses {n} of the {t}.",
        "Then {p} sells {n} {t}.",
        "Then {p} loses {n} {t}.",
    ),
    "more": (
        "{q} has {n} more {t} than {p}.",
        "{q} owns {n} {t} more than {p}.",
        "{q} has as many {t} as {p} and {n} more.",
        "{q} owns {n} more {t} than {p}.",
    ),
    "fewer": (
        "{q} has {n} fewer {t} than {p}.",
        "{q} owns {n} {t} fewer than {p}.",
        "{q} has {n} {t} less than {p}.",
        "{q} owns {n} fewer {t} than {p}.",
    ),
    "times": (
        "{q} has {n} times as many {t} as {p}.",
        "{q} has {n} times the {t} of {p}.",
        "{q} owns {n} times the {t} that {p} owns.",
        "{q} owns {n} times as many {t} as {p}.",
    ),
    "twice": (
        "{q} has twice as many {t} as {p}.",
        "{q} owns twice the {t} of {p}.",
        "{q} has double the {t} of {p}.",
        "{q} owns twice as many {t} as {p}.",
    ),
    "half": (
        "{q} has half as many {t} as {p}.",
        "{q} owns half the {t} of {p}.",
        "{q} has only half the {t} of {p}.",
        "{q} owns half as many {t} as {p}.",
    ),
    "share": (
        "{p} puts the {t} into {n} {c}.",
        "{p} shares the {t} among {n} {c}.",
        "Then {p} fills {n} equal {c} with the {t}.",
        "Then {p} shares the {t} among {n} equal {c}.",
    ),
    "cost": (
        "Each {s} costs {n} dollars.",
        "{p} pays {n} dollars for each {s}.",
        "The price of each {s} is {n} dollars.",
        "The price is {n} dollars for each {s}.",
    ),
    "ask_has": (
        "How many {t} does {p} have?",
        "How many {t} does {p} own?",
        "What is the number of {t} that {p} has?",
        "What is the number of {t} that {p} owns?",
    ),
    "ask_now": (
        "How many {t} does {p} have now?",
        "How many {t} does {p} own in the end?",
        "What is the number of {t} that {p} has now?",
        "What is the number of {t} that {p} owns in the end?",
    ),
    "ask_share": (
        "How many {t} are in each {k}?",
        "How many {t} does each {k} hold?",
        "What is the number of {t} in each {k}?",
        "What is the number of {t} that are in each {k}?",
    ),
    "ask_cost": (
        "How many dollars do the {t} cost?",
        "How many dollars does {p} pay?",
        "What is the price of the {t}?",
        "What is the price that {p} pays?",
    ),
    "ask_together": (
        "How many {t} do {p} and {q} have together?",
        "How many {t} do {p} and {q} own in all?",
        "What is the total number of {t} that {p} and {q} have?",
        "What is the total number of {t} of {p} and {q}?",
    ),
    "ask_gap": (
        "How many more {t} does {p} have than {q}?",
        "How many {t} more than {q} does {p} own?",
        "By how many {t} does {p} have more than {q}?",
        "By how many {t} does {p} own more than {q}?",
    ),
    "distractor": (
        "{p} is {n} years old.",
        "{p} also has {n} {other}.",
        "There are {n} {other} on the table.",
        "There are also {n} {other} on the table.",
    ),
}
# How an answer sentence says each calculation, and what a comment calls it.
TELLINGS: dict[str, tuple[str, str]] = {
    "ask_has": ("{p} has {calculation} {t}.", "{t} of {p}"),
    "ask_now": ("{p} now has {calculation} {t}.", "{t} of {p} now"),
    "ask_share": ("There are {calculation} {t} in each {k}.", "{t} in each {k}"),
    "ask_cost": ("The {t} cost {calculation} dollars.", "price of the {t} in dollars"),
    "ask_together": ("{p} and {q} have {calculation} {t} together.", "{t} of {p} and {q} together"),
    "ask_gap": ("{p} has {calculation} {t} more than {q}.", "{t} that {p} has more than {q}"),
}


@dataclass(frozen=True, slots=True)
class Worded:
    """A problem, the question in its last sentence, and the sequence of wordings it uses: `kind.wording` per clause,
    without distractors."""

    question: str
    asked: str
    phrasing: str


def put_into_words(graph: Graph, distractor: Clause | None, wordings: dict[str, range], rng: random.Random) -> Worded:
    """Say every clause in one of its allowed wordings; the distractor goes anywhere after the first statement.

    `wordings` gives the allowed numbers of wordings by `known` (used for every clause but one) and `one` (used
    for one clause, drawn at random): with equal ranges every wording is drawn alike.
    """
    clauses = [*graph.statements, graph.ask]
    special = rng.randrange(len(clauses))
    numbers = [rng.choice(wordings["one" if i == special else "known"]) for i in range(len(clauses))]
    sentences = [WORDINGS[c.kind][i].format(**c.slots) for c, i in zip(clauses, numbers, strict=True)]
    if distractor is not None:
        said = WORDINGS["distractor"][rng.choice(wordings["known"])].format(**distractor.slots)
        sentences.insert(rng.randint(1, len(sentences) - 1), said)
    phrasing = " ".join(f"{c.kind}.{i}" for c, i in zip(clauses, numbers, strict=True))
    return Worded(" ".join(sentences), sentences[-1], phrasing)
