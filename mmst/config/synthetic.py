"""The section of the synthetic word problems."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mmst.config.section import Section, Share

Operator = Literal["+", "-", "*", "//"]
View = Literal["cot", "program", "equation", "system", "socratic", "prefix"]

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class SyntheticSpec(Section):
    """Word problems generated from a graph of quantities, and the size of each set."""

    seed: int = 0
    """Seed of every random choice: the same section always gives the same problems."""
    train: Count = 6000
    """Problems that rounds solve, with a reference answer and no views."""
    annotated: Count = 1400
    """Problems with views, for round 0."""
    dev: Count = 500
    """Problems that decide promotion, from the same distribution as the train problems."""
    test: Count = 660
    """Problems that are only reported: a third each like the train problems, with held-out numbers, and with held-out
    phrasings (a quarter each if `held_out_steps` names any)."""
    steps: dict[int, Annotated[float, Field(gt=0)]] = {1: 2.0, 2: 3.5, 3: 3.0, 4: 1.5}
    """Relative weight of each number of calculations."""
    operators: Annotated[list[Operator], Field(min_length=1)] = ["+", "-", "*", "//"]
    """Operations that calculations may use."""
    smallest: Positive = 2
    """Smallest number stated in a problem."""
    largest: Positive = 20
    """Largest number that a problem starts from."""
    largest_change: Positive = 9
    """Largest number that a problem adds or takes away."""
    largest_factor: Positive = 6
    """Largest number that a problem multiplies or divides by."""
    bound: Positive = 40
    """Largest intermediate result and answer."""
    distractors: Share = 0.2
    """Share of problems with a sentence whose number is irrelevant."""
    names: Annotated[int, Field(ge=2, le=16)] = 8
    """Number of names of people."""
    things: Annotated[int, Field(ge=2, le=16)] = 8
    """Number of kinds of things that they own."""
    wordings: Annotated[int, Field(ge=1, le=4)] = 4
    """Number of wordings of each kind of clause, with the held-out one."""
    held_out_numbers: Share = 0.15
    """Share of the number combinations (the stated numbers that the solution uses, in any order) that occur only in
    test problems."""
    held_out_phrasing: Literal["sequence", "wording"] = "wording"
    """What is new in a held-out phrasing: `sequence`, the order of known wordings; `wording`, one wording (the last of
    each kind of clause) that no other problem has, made of known words."""
    held_out_phrasings: Share = 0.15
    """Share of the sequences of wordings that occur only in test problems."""
    held_out_steps: dict[int, Annotated[float, Field(gt=0)]] = {}
    """Numbers of calculations, with weights, that occur only in test problems."""
    views: list[View] = ["cot", "program", "equation", "system", "socratic", "prefix"]
    """Exact solutions of annotated problems."""
    views_everywhere: list[View] = []
    """Exact solutions of the other problems, for evaluation with reference sub-questions (`socratic`)."""

    @model_validator(mode="after")
    def _possible(self) -> SyntheticSpec:
        if not self.steps or min((*self.steps, *self.held_out_steps)) < 1:
            raise ValueError("steps needs at least one number of calculations, all at least 1")
        if both := sorted(set(self.steps) & set(self.held_out_steps)):
            raise ValueError(f"held_out_steps and steps both name {both}")
        for name in ("largest", "largest_change", "largest_factor"):
            if self.smallest > getattr(self, name):
                raise ValueError(f"smallest ({self.smallest}) is above {name} ({getattr(self, name)})")
        if self.held_out_phrasing == "wording" and self.wordings < 2:
            raise ValueError("held_out_phrasing: wording needs at least 2 wordings")
        return self
