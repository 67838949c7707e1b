"""The examples and the learning rate of every step. Pure functions: the plan is the same after a restart, and
`draw_examples` does not depend on the number of workers.

An *example* is a prompt with its completion, a *row* is several examples side by side in a tensor (masked from each
other), a *micro-batch* is the rows of one forward pass, a *step* is one update of the weights by `batch` examples.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence

import numpy as np

from mmst.config import ScheduleConfig

Row = list[int]
"""Examples, by their place in the step."""

PADDING = 0.03
"""Accepted share of padding: below it, narrower rows save more attention than padding wastes."""
WIDEST = 4
"""Rows are at most this many times as wide as their longest example."""


def step_count(schedule: ScheduleConfig, examples: int, batch: int) -> int:
    """Number of optimizer steps: as configured, or computed from the epochs."""
    return schedule.steps or max(1, math.ceil(schedule.epochs * examples / batch))


def learning_rate(step: int, steps: int, schedule: ScheduleConfig) -> float:
    """Learning rate of a step (counted from 0): linear warm-up, a cosine down to the floor, then constant."""
    warmup = math.ceil(schedule.warmup * steps)
    if step < warmup:
        return schedule.learning_rate * (step + 1) / (warmup + 1)
    falling = schedule.decay * (steps - warmup)
    done = min(1.0, (step - warmup) / falling) if falling else 1.0
    cosine = (1 + math.cos(math.pi * done)) / 2
    return schedule.learning_rate * (schedule.floor + (1 - schedule.floor) * cosine)


def draw_examples(tasks: Sequence[str], mixture: Mapping[str, float], batch: int, steps: int, seed: int) -> np.ndarray:
    """The examples of each step: int64 array of shape (steps, batch).

    Each task is traversed in a new random order each time, so its examples are used equally often. With a mixture each
    step has the tasks' shares (remainders are carried to the next step); a task that is not named has weight 1.
    Without a mixture, all examples are traversed together.

    Raises ValueError if no task with a weight above 0 has examples.
    """
    names = np.asarray(tasks)
    pools = (
        {task: np.flatnonzero(names == task) for task in np.unique(names)} if mixture else {"": np.arange(len(names))}
    )
    weights = {task: mixture.get(task, 1.0) for task, pool in pools.items() if len(pool)}
    total = sum(weights.values())
    if not total:
        raise ValueError("no examples to train on: there are none, or every task has weight 0")
    shares = np.array([weight / total for weight in weights.values()])
    counts = _counts(shares, batch, steps)
    random = np.random.default_rng(seed)
    streams = [_cycle(pools[task], int(n), random) for task, n in zip(weights, counts.sum(axis=0), strict=True)]
    ends = counts.cumsum(axis=0)
    return np.stack(
        [
            np.concatenate([stream[end - n : end] for stream, n, end in zip(streams, of, upto, strict=True)])
            for of, upto in zip(counts, ends, strict=True)
        ]
    )


def _counts(shares: np.ndarray, batch: int, steps: int) -> np.ndarray:
    """Examples of each task in each step, shape (steps, tasks): rows sum to the batch, columns follow the shares."""
    counts = np.zeros((steps, len(shares)), np.int64)
    owed = np.zeros(len(shares))
    for step in range(steps):
        owed += shares * batch
        counts[step] = np.maximum(np.floor(owed), 0)
        left = batch - counts[step].sum()
        counts[step, np.argsort(-(owed - counts[step]), kind="stable")[:left]] += 1
        owed -= counts[step]
    return counts


def _cycle(pool: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    turns = [random.permutation(pool) for _ in range(math.ceil(count / len(pool)))]
    return np.concatenate(turns)[:count] if turns else pool[:0]


def pack(lengths: Sequence[int]) -> list[Row]:
    """Pack examples into rows of nearly equal width, with little padding.

    Takes the most (so the narrowest) rows whose padding stays under `PADDING`, else those with the least. For each
    number of rows the width is the smallest into which best-fit decreasing packs everything (MULTIFIT, Coffman,
    Garey and Johnson 1978).
    """
    order = sorted(range(len(lengths)), key=lambda example: -lengths[example])
    total, longest = sum(lengths), lengths[order[0]]
    most = max(1, total // longest)
    best, least = [order], math.inf
    for count in range(most, max(1, math.ceil(total / (WIDEST * longest))) - 1, -1):
        rows = _fit(lengths, order, count, max(longest, math.ceil(total / count)))
        padding = 1 - total / (len(rows) * max(sum(lengths[e] for e in row) for row in rows))
        if padding < least:
            best, least = rows, padding
        if least <= PADDING:
            break
    return best


def _fit(lengths: Sequence[int], order: list[int], count: int, width: int) -> list[Row]:
    """At most `count` rows that hold everything, of the smallest width that is at least `width`."""
    while True:
        rows: list[Row] = []
        room: list[tuple[int, int]] = []  # (free tokens, row), ascending
        for example in order:
            place = bisect_left(room, (lengths[example], -1))
            if place == len(room):
                rows.append([])
                room.append((width, len(rows) - 1))
                room.sort()
                place = bisect_left(room, (lengths[example], -1))
            free, row = room.pop(place)
            rows[row].append(example)
            insort(room, (free - lengths[example], row))
        if len(rows) <= count:
            return rows
        width += max(1, width // 100)


def divide(lengths: Sequence[int], workers: int, micro_batch_tokens: int, packed: bool = True) -> list[list[list[Row]]]:
    """Divide the examples of a step among workers and micro-batches: worker → micro-batch → rows.

    Every worker gets nearly the same number of tokens and the same number of micro-batches (ZeRO needs that); some may
    be empty. Without packing every example is a row of its own, and micro-batches hold rows of similar length.
    """
    dealt: list[Row] = [[] for _ in range(workers)]
    load = [0] * workers
    for example in sorted(range(len(lengths)), key=lambda e: -lengths[e]):
        lightest = load.index(min(load))
        dealt[lightest].append(example)
        load[lightest] += lengths[example]
    rows = []
    for examples in dealt:
        own = [lengths[e] for e in examples]
        placed = pack(own) if packed and own else [[e] for e in range(len(own))]
        rows.append([[examples[e] for e in row] for row in placed])
    counts = []
    for of in rows:
        width = max((sum(lengths[e] for e in row) for row in of), default=1)
        counts.append(math.ceil(len(of) / max(1, micro_batch_tokens // width)))
    most = max(counts)
    return [[of[len(of) * m // most : len(of) * (m + 1) // most] for m in range(most)] for of in rows]
