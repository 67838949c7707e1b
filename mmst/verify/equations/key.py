"""When two systems count as the same: up to the names of quantities and the order of equations."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from mmst.verify.equations.expression import Node, Unreadable, names_in
from mmst.verify.equations.reading import read_system

Equation = tuple[str, Node, Node]
_MOST_ROUNDS = 20


def system_key(text: str) -> str | None:
    """A key that two systems share if one becomes the other by renaming and reordering; None if it cannot be read.

    Names are distinguished by colour refinement (Weisfeiler & Leman 1968): the colour of a name is computed from its
    equations and the colours of the other names in them, until the number of colours no longer grows.
    """
    try:
        system = read_system(text)
    except (Unreadable, RecursionError):
        return None
    if system.answer is None:
        return None
    equations = [(s.relation, s.left, s.right) for s in system.statements] + [("ans", system.answer, system.answer)]
    places: dict[str, list[Equation]] = {}
    for equation in equations:
        for name in {*names_in(equation[1]), *names_in(equation[2])}:
            places.setdefault(name, []).append(equation)
    colours = dict.fromkeys(places, "")
    for _ in range(_MOST_ROUNDS):
        before = len(set(colours.values()))
        colours = {name: _digest(_seen_from(name, found, colours)) for name, found in places.items()}
        if before == len(set(colours.values())):
            break
    return "\n".join(sorted(_equation(equation, colours.__getitem__) for equation in equations))


def _seen_from(name: str, equations: list[Equation], colours: dict[str, str]) -> str:
    def colour(other: str) -> str:
        return "*" if other == name else colours[other]

    return "\n".join(sorted(_equation(equation, colour) for equation in equations))


def _equation(equation: Equation, colour: Callable[[str], str]) -> str:
    relation, *sides = equation
    texts = [_text(side, colour) for side in sides]
    return f" {relation} ".join(sorted(texts) if relation == "=" else texts)


def _text(node: Node, colour: Callable[[str], str]) -> str:
    if node.op == "name":
        return f"<{colour(node.parts[0])}>"
    if node.op == "number":
        return str(node.parts[0])
    return f"{node.op}({' '.join(_text(part, colour) for part in node.parts)})"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
