"""Settings of single methods."""

from __future__ import annotations

from typing import Literal

from mmst.config.section import Count, Section


class SocraticConfig(Section):
    """Method `socratic`: a decomposer asks sub-questions, a solver answers them (Shridhar et al. 2022)."""

    models: Literal["one", "two"] = "one"
    """One model for both roles, told apart by its instruction; or two checkpoints (`checkpoints/solver`,
    `checkpoints/decomposer`), trained separately and each served by its own engine."""
    solving: Literal["iterative", "at_once"] = "iterative"
    """The solver answers one sub-question at a time and sees its earlier answers, or answers all in one text."""
    questions: Literal["model", "reference"] = "model"
    """Sub-questions in rounds come from the decomposer, or from the view `socratic` of problems that have it."""
    max_questions: Count = 12
    """More sub-questions get the verdict `too_many_questions`, and none is answered."""
