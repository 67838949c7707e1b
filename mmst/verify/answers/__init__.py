"""Getting an answer out of text, and telling whether two answers are equal. What counts: see policy.py."""

from mmst.verify.answers.answer import Answer, Comparison, Found
from mmst.verify.answers.comparer import Comparer, compare_rows, read_or_find
from mmst.verify.answers.comparing import compare_answers, compare_keys
from mmst.verify.answers.finding import find_answer
from mmst.verify.answers.reading import read_answer

__all__ = [
    "Answer",
    "Comparer",
    "Comparison",
    "Found",
    "compare_answers",
    "compare_keys",
    "compare_rows",
    "find_answer",
    "read_answer",
    "read_or_find",
]
