"""The blocks of a model's text, and the program among them."""

from __future__ import annotations

import ast
import re

from mmst.verify.programs.screening import readable

_FENCE = re.compile(r"```[ \t]*([\w+.-]*)[^\n`]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks of a text as (language in lower case, content); a block that is cut off ends with the text."""
    return [(language.lower(), content.strip("\n").rstrip()) for language, content in _FENCE.findall(text)]


def last_block(text: str) -> str:
    """The content of the last fenced block, or else the text itself."""
    found = blocks(text)
    return found[-1][1] if found else text.strip("\n").rstrip()


_PYTHON = ("python", "python3", "py")


def program_in(text: str) -> str:
    """The program in a text: the last block tagged as Python, else the last block that parses, else the text itself.

    Among untagged blocks, one that can compute an answer comes before one that merely parses, because printed output
    often parses as Python too. A text that parses as a whole is a program with a fence inside a string.

    >>> program_in("```python\\nprint(6 * 7)\\n```\\nOutput:\\n```\\n42\\n```")
    'print(6 * 7)'
    """
    found = [] if "```" in text and _rank(text) == 2 else blocks(text)[::-1]
    tagged = [content for language, content in found if language in _PYTHON]
    if tagged:
        return tagged[0]
    ranked = [(rank, content) for _, content in found if (rank := _rank(content))]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else text.strip("\n").rstrip()


def _rank(content: str) -> int:
    """2 for a program that can compute an answer, 1 for one that parses or that only the sandbox may parse, else 0."""
    if not readable(content):
        return 1
    try:
        nodes = list(ast.walk(ast.parse(content)))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return 0
    computes = any(
        isinstance(node, ast.Call | ast.FunctionDef) or (isinstance(node, ast.Name) and node.id in ("ans", "answer"))
        for node in nodes
    )
    return 2 if computes else 1
