"""Labels, keeping, duplicates, balance, and what is translated into what: pure functions over verified solutions."""

from mmst.selection.filtering import Decision, SolutionFilter, over_balance, reasons
from mmst.selection.labels import Label, label_problem, with_gold_key
from mmst.selection.rows import filter_rows
from mmst.selection.translation import plan_translations

__all__ = [
    "Decision",
    "Label",
    "SolutionFilter",
    "filter_rows",
    "label_problem",
    "over_balance",
    "plan_translations",
    "reasons",
    "with_gold_key",
]
