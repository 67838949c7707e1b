"""Equations over named quantities (EoT): reading what a model wrote, and solving it exactly or by SymPy."""

from mmst.equations.expression import Unreadable
from mmst.equations.key import system_key
from mmst.equations.solving import STATUSES, Outcome, attempt, outcome_of, solve_text

__all__ = ["STATUSES", "Outcome", "Unreadable", "attempt", "outcome_of", "solve_text", "system_key"]
