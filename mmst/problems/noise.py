"""Corrupted annotations: what careless annotators write, made on purpose (MinT's noisy views, section 4)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OPERATOR = re.compile(r"(?:^|(?<=\s))(?:\+|-|\*|//|/)(?=\s)", re.MULTILINE)
_OPERATORS = ("+", "-", "*", "/")


def corrupted(view: Any, rng: random.Random) -> Any:
    """A view with one mistake: a number or an operator is another one, or a step is left out.

    Takes text, or pairs of sub-question and answer, and returns the same kind. What has nothing to get wrong (no
    number, no operator, a single step) comes back as it is.
    """
    if isinstance(view, str):
        return _corrupted_text(view, rng)
    pairs = [list(pair) for pair in view]
    if not pairs:
        return pairs
    place = rng.randrange(len(pairs))
    if len(pairs) > 1 and rng.random() < 1 / 3:
        del pairs[place]
    else:
        pairs[place][1] = _corrupted_text(pairs[place][1], rng)
    return pairs


def _corrupted_text(text: str, rng: random.Random) -> str:
    mistakes: list[Callable[[str, random.Random], str | None]] = [_other_number, _other_operator, _without_a_step]
    rng.shuffle(mistakes)
    return next((wrong for make in mistakes if (wrong := make(text, rng)) not in (None, text)), None) or text


def _other_number(text: str, rng: random.Random) -> str | None:
    found = list(_NUMBER.finditer(text))
    if not found:
        return None
    chosen = rng.choice(found)
    around = range(1, max(20, 2 * int(float(chosen.group())) + 1))
    other = rng.choice([number for number in around if str(number) != chosen.group()])
    return text[: chosen.start()] + str(other) + text[chosen.end() :]


def _other_operator(text: str, rng: random.Random) -> str | None:
    found = list(_OPERATOR.finditer(text))
    if not found:
        return None
    chosen = rng.choice(found)
    other = rng.choice([sign for sign in _OPERATORS if sign != chosen.group()[0]])
    return text[: chosen.start()] + other + text[chosen.end() :]


def _without_a_step(text: str, rng: random.Random) -> str | None:
    """Without one line; the last one states the answer and stays."""
    lines = text.split("\n")
    if len(lines) < 3:
        return None
    del lines[rng.randrange(len(lines) - 1)]
    return "\n".join(lines)
