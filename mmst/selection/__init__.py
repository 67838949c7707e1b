"""Labels, filtering, and which solution is translated into which method: pure functions over verified solutions."""

from mmst.selection.filtering import SolutionFilter, over_balance, plan_translations, tally
from mmst.selection.labels import Label, label_problem, matches, same
from mmst.selection.rows import filter_rows

__all__ = [
    "Label",
    "SolutionFilter",
    "filter_rows",
    "label_problem",
    "matches",
    "over_balance",
    "plan_translations",
    "same",
    "tally",
]
