"""Fenced blocks (```` ``` ````) in a model's text."""

from __future__ import annotations

import re

_FENCE = re.compile(r"```[ \t]*([\w+.-]*)[^\n`]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks of a text as (language in lower case, content); a block that is cut off ends with the text."""
    return [(language.lower(), content.strip("\n").rstrip()) for language, content in _FENCE.findall(text)]


def last_block(text: str) -> str:
    """The content of the last fenced block, or else the text itself."""
    found = blocks(text)
    return found[-1][1] if found else text.strip("\n").rstrip()
