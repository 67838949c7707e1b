"""Text of unknown origin (model output, names of foreign runs) made safe to show on a terminal or a page."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories: control, format (such as marks that change the direction of writing), surrogate, separators."""
_SAFE = "\n\t\u200c\u200d"
"""Exceptions; the last two are the joiners that Persian, Hindi and emoji need."""


class Shown(NamedTuple):
    """A text to show, and how many characters were cut from it."""

    text: str
    left_out: int


def escaped(text: str) -> str:
    """The text with control and format characters (ANSI escapes, direction marks) as Python escapes."""
    text = text.replace("\r\n", "\n")
    return "".join(c if c in _SAFE or unicodedata.category(c) not in _UNSAFE else ascii(c)[1:-1] for c in text)


def shown(text: str | None, line: int, lines: int) -> Shown:
    """The text escaped, cut to `lines` lines of at most `line` characters each."""
    every = (text or "").split("\n")
    cut = "\n".join(each if len(each) <= line else each[:line] + " …" for each in every[:lines])
    left_out = sum(max(0, len(each) - line) for each in every[:lines]) + sum(len(each) + 1 for each in every[lines:])
    return Shown(escaped(cut), left_out)
