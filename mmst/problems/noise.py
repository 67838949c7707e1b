"""Corrupted annotations: the mistakes of careless annotators, made on purpose (MinT's noisy views, section 4)."""

from __future__ import annotations

import random
import re
from typing import Any

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OPERATOR = re.compile(r"(?:^|(?<=\s))(?:\+|-|\*|//|/)(?=\s)", re.MULTILINE)
_OPERATORS = ("+", "-", "*", "/")


def corrupted(view: Any, rng: random.Random) -> Any:
    """A view with one mistake: a wrong number, a wrong operator, or a missing step.

    Takes text, or pairs of sub-question and answer, and returns the same kind. A view without numbers, operators and
    steps is returned unchanged.
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
    mistakes = [_wrong_number, _wrong_operator, _missing_step]
    rng.shuffle(mistakes)
    return next((wrong for make in mistakes if (wrong := make(text, rng)) != text), text)


def _wrong_number(text: str, rng: random.Random) -> str:
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    chosen = rng.choice(found)
    around = range(1, max(20, 2 * int(float(chosen.group())) + 1))
    return _replaced(text, chosen, str(rng.choice([number for number in around if str(number) != chosen.group()])))


def _wrong_operator(text: str, rng: random.Random) -> str:
    found = list(_OPERATOR.finditer(text))
    if not found:
        return text
    chosen = rng.choice(found)
    return _replaced(text, chosen, rng.choice([sign for sign in _OPERATORS if sign != chosen.group()[0]]))


def _replaced(text: str, match: re.Match[str], by: str) -> str:
    return text[: match.start()] + by + text[match.end() :]


def _missing_step(text: str, rng: random.Random) -> str:
    """The text without one of its lines; the last line, which states the answer, stays."""
    lines = text.split("\n")
    if len(lines) < 3:
        return text
    del lines[rng.randrange(len(lines) - 1)]
    return "\n".join(lines)
