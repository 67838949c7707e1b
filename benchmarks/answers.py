"""Comparing answers: pairs per core-second here and by Math-Verify, in one run. `python benchmarks/answers.py`.

Three sets of pairs: plain numbers (a reference against what programs print and rationales state), LaTeX answers (each
against another spelling of itself and against a neighbour), and, where ../shared/data is present, the answers of GSM8K
against recorded outputs of programs. Both sides read strings and compare; core-seconds are CPU time, Math-Verify runs
without its alarm. The last line is `compare_rows` over 100,000 pairs, wall clock, worker processes included.
"""

import argparse
import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmst.verify.answers import Comparer, compare_rows

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
LATEX = [
    (r"\frac{14}{3}", r"\frac{28}{6}"),
    (r"3\sqrt{13}", r"\sqrt{117}"),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\pi/2)"),
    (r"6 - 5i", r"-5i+6"),
    (r"x^2 - 1", r"(x-1)(x+1)"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    (r"(-\infty, 2) \cup (3, \infty)", r"(-\infty,2)\cup(3,\infty)"),
    (r"1 \pm \sqrt{19}", r"1+\sqrt{19}, 1-\sqrt{19}"),
    (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}"),
    (r"90^\circ", r"90"),
    (r"5x - 7y + 11z + 4 = 0", r"7y - 5x - 11z = 4"),
    (r"\{1,2,3\}", r"\{3,2,1\}"),
    (r"\frac{11+9a}{20}", r"\frac{9a}{20}+\frac{11}{20}"),
    (r"864 \mbox{ inches}^2", r"864"),
    (r"y = 2x + 3", r"y=3+2x"),
    (r"\left[ \frac{\pi^2}{8}, \frac{5 \pi^2}{4} \right]", r"[\pi^2/8, 5\pi^2/4]"),
    (r"\cot x", r"\frac{\cos x}{\sin x}"),
    (r"10,\!080", r"10080"),
    (r"2k+2", r"2(k+1)"),
    (r"\$18.90", r"18.9"),
]

Pair = tuple[str, str]


def plain_pairs(count: int, seed: int = 0) -> list[Pair]:
    """References as GSM8K states them, predictions as programs and rationales print them; half are wrong."""
    draw = random.Random(seed)
    spellings = ("{0}", "{0}.0", "{0:,}", "${0:,}", "${0}.00", "{0} dollars", "{0}%", "{1}.99999999999999", "{2}/2")
    pairs = []
    for _ in range(count):
        number = draw.choice([draw.randint(1, 99), draw.randint(100, 99_999), draw.randint(100_000, 9_999_999)])
        stated = number + draw.randint(0, 1) * draw.randint(1, 9)
        pairs.append((str(number), draw.choice(spellings).format(stated, stated - 1, 2 * stated)))
    return pairs


def latex_pairs() -> list[Pair]:
    """Each answer against another spelling and against the next answer's; with those of MATH-500 where present."""
    pairs = [*LATEX, *((left, LATEX[i - 1][1]) for i, (left, _) in enumerate(LATEX))]
    answers = [row["answer"] for row in shared_rows("math500.test.jsonl") if "\\" in row["answer"]]
    pairs += [(answer, answer.replace("\\frac", "\\dfrac")) for answer in answers]
    return pairs + list(pairwise(answers))


def recorded_pairs() -> list[Pair]:
    """GSM8K references against the recorded outputs of programs."""
    return [(row["gold"], row["expected_output"]) for row in shared_rows("real_programs.gsm8k.even.jsonl")]


def shared_rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of a shared file, none where it is absent."""
    if (SHARED / name).exists():
        yield from map(json.loads, (SHARED / name).read_text().splitlines())


def math_verify_judge() -> Callable[[str, str], bool]:
    """Math-Verify with its default configuration, without the alarm (which adds to its time)."""
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)

    def judge(gold: str, prediction: str) -> bool:
        sides = [parse(f"${text}$", parsing_timeout=None) for text in (gold, prediction)]
        return bool(verify(*sides, timeout_seconds=None))

    return judge


def rate(judge: Callable[[str, str], object], pairs: list[Pair], seconds: float) -> float:
    """Pairs per core-second, over at most so many seconds; two pairs warm up."""
    for pair in pairs[:2]:
        judge(*pair)
    start, done = time.process_time(), 0
    while time.process_time() - start < seconds:
        judge(*pairs[done % len(pairs)])
        done += 1
    return done / (time.process_time() - start)


def main() -> None:
    """Print the table, then the same as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="CPU seconds for each cell (default 8)")
    parser.add_argument("--rows", type=int, default=100_000, help="rows through compare_rows (default 100,000)")
    options = parser.parse_args()
    sets = {"plain numbers": plain_pairs(20_000), "LaTeX": latex_pairs(), "recorded GSM8K": recorded_pairs()}
    table = Table("pairs", "mmst, per core-second", "Math-Verify", "ratio", title="Comparing answers")
    lines = []
    reference = math_verify_judge()
    with Comparer(workers=1) as comparer:
        for name, pairs in sets.items():
            if not pairs:
                continue
            ours, theirs = rate(comparer.compare, pairs, options.seconds), rate(reference, pairs, options.seconds)
            table.add_row(name, f"{ours:,.0f}", f"{theirs:,.0f}", f"{ours / theirs:.1f}")
            lines.append(
                {"benchmark": "answers", "pairs": name, "mmst": ours, "math_verify": theirs, "ratio": ours / theirs}
            )
    pairs = plain_pairs(options.rows - options.rows // 10)
    latex = latex_pairs()[:200]
    pairs += [latex[i % len(latex)] for i in range(options.rows // 10)]
    start = time.perf_counter()
    judged = sum(1 for _ in compare_rows({"gold": gold, "prediction": prediction} for gold, prediction in pairs))
    seconds = time.perf_counter() - start
    lines.append({"benchmark": "answers", "pairs": "compare_rows", "rows": judged, "seconds": seconds})
    console = Console()
    console.print(table)
    console.print(f"compare_rows: {judged:,} pairs (a tenth of them LaTeX) in {seconds:.1f} s")
    for line in lines:
        print(json.dumps(line))


if __name__ == "__main__":
    main()
