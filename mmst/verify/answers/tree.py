"""Trees of parsed answers.

A node is a tuple whose first entry names it:
    ("num", value, places, digits)  ("sym", name)  ("const", "pi" | "e" | "i" | "inf")
    ("neg" | "add" | "sub" | "mul" | "div" | "pow" | "pm" | "mp" | "cup" | "cap" | "minus", ...)
    ("call", function, [arguments])  ("fact", a)  ("percent", a)  ("degrees", a)  ("based", digits, base)
    ("seq", opening, closing, [members])  ("matrix", [rows])  ("chain", [operands], [relations])
    ("ratio", [members])  ("text", words)  ("list", [members], [separators])
"""

from __future__ import annotations

from typing import Any

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.policy import MAX_DEPTH

Node = tuple[Any, ...]


def nodes(tree: Node) -> list[Node]:
    """The tree and all nodes below it, except those in the cells of a matrix."""
    found = [tree]
    for node in found:  # grows while it is read
        for part in node[1:]:
            if isinstance(part, tuple):
                found.append(part)
            elif isinstance(part, list):
                found.extend(member for member in part if isinstance(member, tuple))
    return found


def symbols(tree: Node) -> set[str]:
    """The names in a tree."""
    return {node[1] for node in nodes(tree) if node[0] == "sym"}


def has_sign(tree: Node) -> bool:
    """Whether a plus-minus sign stands anywhere in the tree."""
    return any(node[0] in ("pm", "mp") for node in nodes(tree))


def with_sign(node: Node, plus: bool) -> Node:
    """The tree with every plus-minus sign read as plus, or every one as minus."""
    if node[0] in ("pm", "mp"):
        positive = plus is (node[0] == "pm")
        right = with_sign(node[2], plus)
        if node[1] is None:
            return right if positive else ("neg", right)
        return ("add" if positive else "sub", with_sign(node[1], plus), right)

    def part_with_sign(part: Any) -> Any:
        if isinstance(part, list):
            return [part_with_sign(member) for member in part]
        return with_sign(part, plus) if isinstance(part, tuple) else part

    return tuple(part_with_sign(part) for part in node)


def check_depth(tree: Node) -> None:
    """Raise Unreadable for a tree so deep that recursive functions over it would exhaust the stack."""
    level: list[Any] = [tree]
    for _ in range(2 * MAX_DEPTH):
        level = [part for node in level if isinstance(node, tuple | list) for part in node]
        if not level:
            return
    raise Unreadable("nested too deeply")
