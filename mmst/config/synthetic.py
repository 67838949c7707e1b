"""Knobs of the synthetic word problems: one section of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Operator = Literal["+", "-", "*", "//"]
View = Literal["cot", "program", "equation", "system", "socratic", "prefix"]

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class SyntheticSpec(BaseModel):
    """Word problems made from a graph of quantities, and how many of them go into which set."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    seed: int = 0
    """Every random choice derives from it: the same specification always gives the same problems."""
    train: Count = 6000
    """Problems that rounds solve; they carry a reference answer and no views."""
    annotated: Count = 1400
    """Problems with views, for round 0."""
    dev: Count = 500
    """Problems that decide promotion, drawn as the train problems are."""
    test: Count = 660
    """Problems that are only reported: a third each as the train problems, with held-out numbers, and with
    held-out phrasings (a quarter each where `held_out_steps` names any)."""
    steps: dict[int, Annotated[float, Field(gt=0)]] = {1: 2.0, 2: 3.5, 3: 3.0, 4: 1.5}
    """Relative weight of each number of calculations."""
    operators: Annotated[list[Operator], Field(min_length=1)] = ["+", "-", "*", "//"]
    """Operations that calculations may use."""
    smallest: Positive = 2
    """Smallest number that a problem states."""
    largest: Positive = 20
    """Largest number that a problem starts from."""
    largest_change: Positive = 9
    """Largest number that a problem adds or takes away."""
    largest_factor: Positive = 6
    """Largest number that a problem multiplies or divides by."""
    bound: Positive = 40
    """No intermediate result and no answer is larger."""
    distractors: Share = 0.2
    """Share of problems with a sentence whose number plays no part."""
    names: Annotated[int, Field(ge=2, le=16)] = 8
    """How many names people can have."""
    things: Annotated[int, Field(ge=2, le=16)] = 8
    """How many kinds of things they own."""
    wordings: Annotated[int, Field(ge=1, le=4)] = 4
    """How many ways there are to put each kind of clause, the held-out way included."""
    held_out_numbers: Share = 0.15
    """Share of the number combinations (the stated numbers that the solution uses, whatever their order) that
    appear in test problems only."""
    held_out_phrasing: Literal["sequence", "wording"] = "wording"
    """What is new in a held-out phrasing: `sequence`, the order of known wordings; `wording`, one wording that
    no other problem has (the last of each kind of clause), made of known words."""
    held_out_phrasings: Share = 0.15
    """Share of the sequences of wordings that appear in test problems only."""
    held_out_steps: dict[int, Annotated[float, Field(gt=0)]] = {}
    """Numbers of calculations, with weights, that appear in test problems only."""
    views: list[View] = ["cot", "program", "equation", "system", "socratic", "prefix"]
    """Which exact solutions annotated problems carry."""
    views_everywhere: list[View] = []
    """Which exact solutions the other problems carry, for evaluation with reference sub-questions (`socratic`)."""

    @model_validator(mode="after")
    def _possible(self) -> SyntheticSpec:
        if not self.steps or min((*self.steps, *self.held_out_steps)) < 1:
            raise ValueError("steps needs at least one number of calculations, none below 1")
        if both := sorted(set(self.steps) & set(self.held_out_steps)):
            raise ValueError(f"held_out_steps and steps both name {both}")
        for name in ("largest", "largest_change", "largest_factor"):
            if self.smallest > getattr(self, name):
                raise ValueError(f"smallest ({self.smallest}) is above {name} ({getattr(self, name)})")
        if self.held_out_phrasing == "wording" and self.wordings < 2:
            raise ValueError("held_out_phrasing: wording needs at least 2 wordings")
        return self
