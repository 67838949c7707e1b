"""Intervals and tests for shares of problems."""

from __future__ import annotations

import math

_Z = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    share, square = successes / n, _Z * _Z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = _Z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    # Rounding errors at shares of 0 and 1 must not exclude the share itself.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided p-value of the exact McNemar test: `gained` problems turned right, `lost` ones turned wrong."""
    n = gained + lost
    if n == 0:
        return 1.0
    logs = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(min(gained, lost) + 1)]
    return min(1.0, 2 * math.fsum(math.exp(value - n * math.log(2)) for value in logs))


def phi(both: int, only_first: int, only_second: int, neither: int) -> float | None:
    """Correlation of two binary outcomes over problems (Pearson's phi); None where one of them never varies."""
    first, second = both + only_first, both + only_second
    rest = (only_second + neither) * (only_first + neither)
    if not first * second * rest:
        return None
    return (both * neither - only_first * only_second) / math.sqrt(first * second * rest)


def pass_at_k(n: int, right: int, k: int) -> float:
    """Probability that at least one of k samples is right, from n samples of which `right` are (Chen et al. 2021)."""
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)
