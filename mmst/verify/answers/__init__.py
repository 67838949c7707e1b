"""Reading answers out of text and comparing them. policy.py says what counts as the same answer.

- `read_answer` reads a bare answer, `find_answer` the last answer that a text states, `read_or_find` whichever fits.
- `compare_answers` compares two answers in microseconds; `compare_keys` by their keys alone.
- `Comparer` compares texts and asks Math-Verify, in worker processes, where the canonical forms do not decide;
  `compare_rows` does the same for a stream of rows.

>>> compare_answers(read_answer("8/3"), find_answer("So it is 2.6667 metres.").answer)
Comparison(equal=True, reason='rounded')
"""

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
