"""Labels, keeping, duplicates, balance, and what is translated into what: pure functions over judged solutions."""

from mmst.selection.keep import Fate, Keeper, over_balance, reasons
from mmst.selection.labels import Label, label_problem, with_gold_key
from mmst.selection.rows import filter_rows
from mmst.selection.translation import plan_translations

__all__ = [
    "Fate",
    "Keeper",
    "Label",
    "filter_rows",
    "label_problem",
    "over_balance",
    "plan_translations",
    "reasons",
    "with_gold_key",
]
