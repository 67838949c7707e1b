"""Verify rollouts of any source with mmst.verify: accuracy by method, and why the others failed.

    python examples/verify_rollouts.py rollouts.jsonl
    python examples/verify_rollouts.py --demo

Each line of the file is {"question": ..., "answer": the reference, "method": "cot" | "pot" | "eot", "text": ...}.
"""

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmst.verify import verify_many

DEMO = Path("demo_rollouts.jsonl")
QUESTION = "A box holds 12 pencils. Mia buys 3 boxes and gives away 5 pencils. How many pencils does she keep?"
TEXTS = [
    ("cot", "The boxes hold 3 * 12 = 36 pencils. Mia keeps 36 - 5 = 31.\nThe answer is 31."),
    ("cot", "She buys 3 + 12 = 15 pencils and keeps 10. The answer is \\boxed{10}."),
    ("pot", "```python\nbought = 3 * 12\nprint(bought - 5)\n```\nOutput:\n```\n31\n```"),
    ("pot", "rows = open('/data/answers.csv').readlines()\nprint(rows[0])"),
    ("eot", "bought = 3 * 12\nkept + 5 = bought\nans = kept"),
    ("eot", "bought + given = 36\nans = bought"),
]


def main() -> None:
    """Verify a file of rollouts and print one row per method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rollouts", type=Path, nargs="?", default=DEMO, help="JSON lines")
    parser.add_argument("--demo", action="store_true", help="write a small file first")
    options = parser.parse_args()
    if options.demo:
        rows = [{"question": QUESTION, "answer": "31", "method": method, "text": text} for method, text in TEXTS]
        options.rollouts.write_text("".join(json.dumps(row) + "\n" for row in rows))

    rows = [json.loads(line) for line in options.rollouts.read_text().splitlines()]
    results = verify_many((row["text"], row["answer"], row["method"]) for row in rows)
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    for row, result in zip(rows, results, strict=True):
        outcomes[row["method"]][{True: "right", False: "wrong", None: result.status}[result.correct]] += 1

    table = Table("method", "rollouts", "right", "wrong", "accuracy", "no verdict")
    for method, counts in sorted(outcomes.items()):
        failed = ", ".join(f"{status} {n}" for status, n in counts.most_common() if status not in ("right", "wrong"))
        right, wrong, total = counts["right"], counts["wrong"], counts.total()
        table.add_row(method, str(total), str(right), str(wrong), f"{right / total:.1%}", failed)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
