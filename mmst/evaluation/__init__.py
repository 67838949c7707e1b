"""Accuracy, votes, intervals, and how methods complement each other. Pure functions over answers."""

from mmst.evaluation.ensemble import Choice, cascade, vote, weighted
from mmst.evaluation.figures import Outcome, figures_of, mcnemar, paired, pass_at_k, phi, wilson, without_problems

__all__ = [
    "Choice",
    "Outcome",
    "cascade",
    "figures_of",
    "mcnemar",
    "paired",
    "pass_at_k",
    "phi",
    "vote",
    "weighted",
    "wilson",
    "without_problems",
]
