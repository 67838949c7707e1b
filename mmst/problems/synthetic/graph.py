"""A word problem before it is put into words: a graph of quantities and the clauses that state it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from mmst.config.synthetic import Operator, SyntheticSpec
from mmst.errors import InputError

NAMES = ("Tom", "Ann", "Ben", "Eva", "Sam", "Mia", "Leo", "Zoe", "Max", "Ida", "Kai", "Lea", "Jon", "Amy", "Rob", "Sue")
THINGS = (
    *("apple", "pen", "book", "coin", "card", "stamp", "egg", "ball"),
    *("cup", "shell", "key", "toy", "hat", "ring", "stone", "seed"),
)
CONTAINERS = ("bag", "basket", "jar", "case")

MOST_TRIES = 500
"""Consecutive dead ends after which a specification counts as impossible."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A number in a calculation; `step` is the index of the calculation that gave it, None for a stated number."""

    value: int
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """A statement or question of a kind that has wordings, with the values of its slots."""

    kind: str
    slots: dict[str, object]


@dataclass(frozen=True, slots=True)
class Step:
    """One calculation: the name of its result, operator, operands, result, and the question that it answers."""

    name: str
    operator: Operator
    left: Operand
    right: Operand
    value: int
    ask: Clause


@dataclass(frozen=True, slots=True)
class Graph:
    """All calculations in order, the last one giving the answer, and the statements."""

    steps: tuple[Step, ...]
    statements: tuple[Clause, ...]

    @property
    def ask(self) -> Clause:
        return self.steps[-1].ask

    @property
    def stated(self) -> tuple[int, ...]:
        """The stated numbers that the calculations use, in order of use."""
        operands = (operand for step in self.steps for operand in (step.left, step.right))
        return tuple(operand.value for operand in operands if operand.step is None)


def calculate(operator: Operator, left: int, right: int) -> int | None:
    """The result of a calculation, None if it is not whole."""
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    return left // right if left % right == 0 else None


@dataclass(frozen=True, slots=True)
class Move:
    """A step from one person's quantity to the next quantity, of another person if `other`."""

    operator: Operator
    name: str = ""
    """Of the result; empty names it after its owner."""
    other: bool = False
    fixed: int | None = None
    """The second operand, if the wording implies it."""
    closes: bool = False
    """Whether the move must be the last one."""


MOVES: dict[str, Move] = {
    "gain": Move("+", "now"),
    "lose": Move("-", "left"),
    "more": Move("+", other=True),
    "fewer": Move("-", other=True),
    "times": Move("*", other=True),
    "twice": Move("*", other=True, fixed=2),
    "half": Move("//", other=True, fixed=2),
    "share": Move("//", "each", closes=True),
    "cost": Move("*", "cost", closes=True),
}
PAIRS: dict[str, tuple[Operator, str]] = {"together": ("+", "total"), "gap": ("-", "gap")}
"""Last moves that combine the quantities of two people."""


class DeadEndError(Exception):
    """No move keeps the numbers within the specification."""


@dataclass
class _Builder:
    """The story so far: who owns how many things. The next move starts from the last owner's quantity."""

    spec: SyntheticSpec
    rng: random.Random
    thing: str
    people: list[str]
    steps: list[Step] = field(default_factory=list)
    statements: list[Clause] = field(default_factory=list)
    owned: dict[str, Operand] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return next(reversed(self.owned))

    def slots(self, **more: object) -> dict[str, object]:
        return {"p": self.owner, "s": self.thing, "t": self.thing + "s", **more}

    def container(self) -> dict[str, object]:
        container = self.rng.choice(CONTAINERS)
        return {"k": container, "c": container + "s"}

    def own(self, person: str, operand: Operand) -> None:
        self.owned.pop(person, None)
        self.owned[person] = operand

    def compute(self, name: str, operator: Operator, left: Operand, right: Operand, ask: Clause) -> Operand:
        value = calculate(operator, left.value, right.value)
        if value is None or not 1 <= value <= self.spec.bound:
            raise DeadEndError
        used = sum(step.name.partition("_")[0] == name for step in self.steps)
        self.steps.append(Step(f"{name}_{used + 1}" if used else name, operator, left, right, value, ask))
        return Operand(value, len(self.steps) - 1)

    def partner(self, operator: Operator, value: int) -> int:
        """A number that `value` can be combined with."""
        spec, factor = self.spec, operator in ("*", "//")
        least, most = (2, spec.largest_factor) if factor else (1, spec.largest_change)
        numbers = range(max(spec.smallest, least), most + 1)
        fits = [n for n in numbers if 1 <= (calculate(operator, value, n) or 0) <= spec.bound]
        if not fits:
            raise DeadEndError
        return self.rng.choice(fits)

    def start(self, steps: int) -> None:
        """Someone owns things, or containers of things, which takes the first calculation."""
        person, n = self.people.pop(), self.rng.randint(self.spec.smallest, self.spec.largest)
        if "*" in self.spec.operators and self.rng.random() < (0.4 if steps == 1 else 0.2):
            n = self.rng.randint(max(2, self.spec.smallest), self.spec.largest_factor)
            m, container = self.partner("*", n), self.container()
            ask = Clause("ask_has", {"p": person, "t": self.thing + "s"})
            self.own(person, self.compute("packed", "*", Operand(n), Operand(m), ask))
            self.statements.append(Clause("packs", self.slots(n=n, m=m, **container)))
        else:
            self.own(person, Operand(n))
            self.statements.append(Clause("start", self.slots(n=n)))

    def move(self, kind: str) -> None:
        move = MOVES[kind]
        before = self.owned[self.owner]
        n = move.fixed or self.partner(move.operator, before.value)
        person = self.people.pop() if move.other else self.owner
        slots = self.slots(n=n, q=person) | (self.container() if kind == "share" else {})
        ask = Clause(f"ask_{kind}" if move.closes else "ask_has" if move.other else "ask_now", {**slots, "p": person})
        name = move.name or person.lower()
        self.own(person, self.compute(name, move.operator, before, Operand(n), ask))
        self.statements.append(Clause(kind, slots))

    def pair(self, kind: str) -> None:
        operator, name = PAIRS[kind]
        (p, one), (q, other) = list(self.owned.items())[-2:]
        if operator == "-" and one.value < other.value:
            p, one, q, other = q, other, p, one
        self.compute(name, operator, one, other, Clause(f"ask_{kind}", self.slots(p=p, q=q)))

    def choices(self, last: bool) -> list[tuple[Callable[[str], None], str]]:
        """The possible next moves."""
        allowed = self.spec.operators
        moves: list[tuple[Callable[[str], None], str]] = [
            (self.move, kind)
            for kind, move in MOVES.items()
            if move.operator in allowed and (last or not move.closes) and (self.people or not move.other)
        ]
        if last and len(self.owned) > 1:
            moves += [(self.pair, kind) for kind, (operator, _) in PAIRS.items() if operator in allowed]
        return moves


def draw_graph(spec: SyntheticSpec, steps: int, rng: random.Random) -> Graph:
    """A random graph of exactly `steps` calculations with whole results between 1 and `spec.bound`.

    Raises InputError if many draws find none.
    """
    for _ in range(MOST_TRIES):
        with contextlib.suppress(DeadEndError):
            return _build(spec, steps, rng)
    raise InputError(
        f"problems.synthetic: found no problem with {steps} calculations in {MOST_TRIES} tries; "
        "raise bound or names, or allow more operators"
    )


def _build(spec: SyntheticSpec, steps: int, rng: random.Random) -> Graph:
    people = rng.sample(NAMES[: spec.names], k=spec.names)
    builder = _Builder(spec, rng, thing=rng.choice(THINGS[: spec.things]), people=people)
    builder.start(steps)
    while len(builder.steps) < steps:
        choices = builder.choices(last=len(builder.steps) == steps - 1)
        if not choices:
            raise DeadEndError
        act, kind = rng.choice(choices)
        act(kind)
    return Graph(tuple(builder.steps), tuple(builder.statements))
