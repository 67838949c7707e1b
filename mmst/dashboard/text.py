"""Text that a model wrote, made fit to be shown: nothing in it acts, and nothing in it is hidden.

Escaping for HTML is the templates' work (they escape everything); here goes what escaping leaves: terminal escapes,
control characters, marks that turn the direction of writing, and lines without end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE, LINES = 2_000, 400
"""Characters of a line, and lines of a text, that are shown without being asked for more."""

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\|\Z)|\x1b[ -/]*[0-~]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class Shown:
    """A text for a page, and how many characters of it were left out."""

    text: str
    left_out: int


def clean(text: str) -> str:
    """Without ANSI escapes; other invisible characters are shown by their number, as `⟨U+202E⟩`."""
    return _CONTROL.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", _ANSI.sub("", text.replace("\r\n", "\n")))


def shown(text: str | None, *, whole: bool = False) -> Shown:
    """A text as it is shown: clean, and cut to LINES lines of LINE characters unless it is wanted whole."""
    if not text:
        return Shown("", 0)
    if whole:
        return Shown(clean(text), 0)
    lines = text.split("\n")
    cut = "\n".join(line if len(line) <= LINE else line[:LINE] + " …" for line in lines[:LINES])
    left = sum(max(0, len(line) - LINE) for line in lines[:LINES]) + sum(len(line) + 1 for line in lines[LINES:])
    return Shown(clean(cut), left)
