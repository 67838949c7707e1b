"""Text that a model wrote, made fit for a terminal: shown, never obeyed."""

from __future__ import annotations

import unicodedata

_LINE = 400
_LINES = 80


def printable(text: str, *, line: int = _LINE, lines: int = _LINES) -> str:
    """The text with control and format characters (ANSI escapes, overriding the direction, lone surrogates) as Python
    escapes them, lines of at most `line` characters and at most `lines` of them; what was cut is counted."""
    every = text.split("\n")
    shown = [_cut(_escaped(each[:line]), len(each) - line) for each in every[:lines]]
    if len(every) > lines:
        shown.append(f"… {len(every) - lines:,} lines more")
    return "\n".join(shown)


def _escaped(line: str) -> str:
    return "".join(
        c if c == "\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else _escape(c) for c in line
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _cut(line: str, left: int) -> str:
    return f"{line} … {left:,} characters more" if left > 0 else line
