"""Accuracy, votes, intervals, and how methods complement each other. Pure functions over answers."""

from mmst.evaluation.figures import Outcome, figures_of, paired, vote
from mmst.evaluation.statistics import mcnemar, phi, wilson

__all__ = ["Outcome", "figures_of", "mcnemar", "paired", "phi", "vote", "wilson"]
