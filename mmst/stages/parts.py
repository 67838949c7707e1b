"""Work cut into parts: each is written as soon as it is whole, and one that stands is not done again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from mmst.errors import GaveUp, InputError
from mmst.files import checksum, write_json
from mmst.records import Solution
from mmst.runs.storage import committed
from mmst.runs.tables import write_table

Item = TypeVar("Item")


async def write_parts(
    directory: Path,
    items: Sequence[Item],
    size: int,
    at_once: int,
    work: Callable[[Item], Awaitable[list[Solution]]],
    skipped: Callable[[int], None],
) -> list[tuple[Path, int]]:
    """Do `work` on every item and write the rows as `part-<n>.parquet`, `size` items each, in the items' order.

    `at_once` parts are under way at a time, so that the last stragglers of one don't leave the engine idle.
    A part counts when its own small manifest stands and its checksum is right; `skipped(items)` is told of those.
    Returns the files with their row counts. Raises the InputError or GaveUp that work ended with, if it was one.
    """
    window = asyncio.Semaphore(at_once)

    async def part(number: int, chunk: Sequence[Item]) -> tuple[Path, int]:
        path = directory / f"part-{number:05d}.parquet"
        if (rows := finished(path)) is not None:
            skipped(len(chunk))
            return path, rows
        async with window:
            results = await asyncio.gather(*(work(item) for item in chunk))
        count = write_table(path, Solution, (row for rows in results for row in rows))
        write_json(path.with_suffix(".json"), {"rows": count, "checksum": checksum(path)})
        committed(path)
        return path, count

    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part(number, chunk)) for number, chunk in enumerate(chunks)]
    except BaseExceptionGroup as errors:
        if refused := errors.subgroup((InputError, GaveUp)):
            raise refused.exceptions[0] from None
        raise
    return [task.result() for task in tasks]


def finished(path: Path) -> int | None:
    """The row count of a part whose manifest stands and whose bytes are what the manifest says; none otherwise."""
    try:
        manifest = json.loads(path.with_suffix(".json").read_text())
        return int(manifest["rows"]) if manifest["checksum"] == checksum(path) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
