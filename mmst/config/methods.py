"""Settings of single methods."""

from __future__ import annotations

from typing import Literal

from mmst.config.section import Count, Section


class SocraticConfig(Section):
    """Method `socratic`: a decomposer asks sub-questions, a solver answers them (Shridhar et al. 2022)."""

    models: Literal["one", "two"] = "one"
    """One model for both roles, told apart by its instruction, or two checkpoints (`checkpoints/solver`,
    `checkpoints/decomposer`), trained apart and served by an engine each."""
    solving: Literal["iterative", "at_once"] = "iterative"
    """The solver is asked one sub-question at a time and sees its earlier answers, or answers all in one text."""
    questions: Literal["model", "reference"] = "model"
    """Who asks in rounds: the decomposer, or the view `socratic` of the problems that have it."""
    max_questions: Count = 12
    """More sub-questions are the verdict `too_many_questions`, and none of them is answered."""
