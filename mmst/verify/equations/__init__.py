"""Equations over named quantities (EoT): read as a model wrote them, solved exactly or by SymPy."""

from mmst.verify.equations.expression import Unreadable
from mmst.verify.equations.key import system_key
from mmst.verify.equations.solving import STATUSES, Outcome, attempt, outcome_of, solve_text

__all__ = ["STATUSES", "Outcome", "Unreadable", "attempt", "outcome_of", "solve_text", "system_key"]
