"""The program of a worker process: Math-Verify on pairs that the canonical forms do not decide.

Started by exec as a file of its own (it imports nothing of mmst), with one JSON object per line on its standard
streams. It uses LaTeX extraction only, which parses with a grammar; Math-Verify's plain expressions go through SymPy's
`parse_expr`, which evaluates text. It sets no timeout: the parent holds the deadline and kills. If the parent dies,
standard input ends, or the CPU limit that every request renews ends the process.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from typing import Any

MEMORY = 2 * 2**30
DIGITS = 30


def main() -> None:
    """Answer requests until standard input ends."""
    for limit, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        resource.setrlimit(limit, (most, most))
    logging.disable(logging.CRITICAL)
    sys.setrecursionlimit(3000)
    answers = sys.stdout
    sys.stdout = sys.stderr
    import math_verify  # noqa: F401 (imported before the first deadline)

    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        _limit_cpu(request["seconds"])
        try:
            equal, reason = _decide(request["gold"], request["prediction"])
        except MemoryError:
            equal, reason = None, "out of memory"
        except Exception as error:
            equal, reason = None, f"{type(error).__name__}: {error}"[:200]
        print(json.dumps({"equal": equal, "reason": reason}), file=answers, flush=True)


def _limit_cpu(seconds: float) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime + 2 * seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _read(text: str) -> list[Any]:
    from math_verify import LatexExtractionConfig, parse

    return list(parse(f"${text}$", extraction_config=[LatexExtractionConfig()], parsing_timeout=None))


def _decide(gold: str, prediction: str) -> tuple[bool | None, str]:
    from math_verify import verify
    from sympy.core.cache import clear_cache

    clear_cache()  # bounds memory, and keeps one pair from helping or hurting the next
    left, right = _read(gold), _read(prediction)
    for side, parts in (("left", left), ("right", right)):
        if all(isinstance(part, str) for part in parts):
            return None, f"unread: {side}"
    there, back = (
        verify(*sides, allow_set_relation_comp=True, timeout_seconds=None) for sides in ((left, right), (right, left))
    )
    if there != back:
        return None, "Math-Verify's verdict depends on the order"
    if there and _differ(left[0], right[0]):
        return False, "the values differ"
    return bool(there), "Math-Verify, in both directions"


def _differ(left: Any, right: Any) -> bool:
    """Whether 30 digits show that two expressions differ which Math-Verify calls equal."""
    import sympy

    if not (isinstance(left, sympy.Expr) and isinstance(right, sympy.Expr)):
        return False
    names = sorted(left.free_symbols | right.free_symbols, key=str)
    places = {name: sympy.Rational(7 * index + 3, 11) for index, name in enumerate(names)}
    values = [sympy.N(side.subs(places), DIGITS) for side in (left, right)]
    if not all(value.is_number and value.is_finite for value in values):
        return False
    return bool(abs(values[0] - values[1]) > abs(values[0]) * sympy.Float("1e-9"))


if __name__ == "__main__":
    main()
