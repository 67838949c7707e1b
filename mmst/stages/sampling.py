"""The recipe of generate, rationalize and translate: a model writes one solution per item, in parts that are committed
one by one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TypeVar

from mmst.actors.solver import Solver
from mmst.config import TeacherConfig
from mmst.errors import GaveUp, InputError
from mmst.files import checksum, write_json
from mmst.methods.method import Method
from mmst.methods.prompts import PromptFormat
from mmst.problems.noise import corrupted
from mmst.records import Completion, Problem, Request, Solution
from mmst.runs.directory import Commit, OnCommit, RoundDirectory
from mmst.runs.identity import located
from mmst.runs.tables import read_table, write_table
from mmst.stages.context import StageContext

Item = TypeVar("Item")
PART = 2048
"""Items per part: few enough that a crash costs little, enough for columns to compress."""


def sample(
    context: StageContext,
    round_: RoundDirectory,
    stage: str,
    commit: Commit,
    folder: Path,
    items: Sequence[Item],
    solve: Callable[[Solver, Item], Awaitable[list[Solution]]],
) -> list[Path]:
    """Write a verified solution for every item to `folder/part-*.parquet`, in order; the commit lists the files.

    `solve` gets the solver of the stage and an item. Returns the files.
    """
    if not items:
        return []
    with (
        solver_of(context, round_, stage, commit) as solver,
        commit.timed(stage),
        context.report.bar(stage, len(items), "solutions") as bar,
    ):

        async def work(item: Item) -> list[Solution]:
            rows = await solve(solver, item)
            bar.advance(1, sum(row.tokens for row in rows))
            return rows

        at_once = 1 + -(-2 * solver.in_flight // PART)
        parts = write_parts(folder, items, PART, at_once, work, bar.advance, context.run.on_commit)
        written = context.runtime.wait(parts)
    commit.parts += [round_.part(path, rows) for path, rows in written]
    return [path for path, _ in written]


async def write_parts(
    folder: Path,
    items: Sequence[Item],
    size: int,
    at_once: int,
    work: Callable[[Item], Awaitable[list[Solution]]],
    skipped: Callable[[int], None],
    on_commit: OnCommit,
) -> list[tuple[Path, int]]:
    """Do `work` on every item and write the rows as `part-<n>.parquet`, `size` items each, in the items' order.

    `at_once` parts are in progress at a time, so that the stragglers of one do not leave the engine idle. A part is
    done when its own small manifest exists and its checksum is right; `skipped` gets the number of items in such
    parts. Returns the files with their row counts. Raises the InputError or GaveUp that `work` raised.
    """
    window = asyncio.Semaphore(at_once)

    async def part(number: int, chunk: Sequence[Item]) -> tuple[Path, int]:
        path = folder / f"part-{number:05d}.parquet"
        if (rows := finished(path)) is not None:
            skipped(len(chunk))
            return path, rows
        async with window:
            results = await asyncio.gather(*(work(item) for item in chunk))
        count = write_table(path, Solution, (row for rows in results for row in rows))
        write_json(path.with_suffix(".json"), {"rows": count, "checksum": checksum(path)})
        on_commit()
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
    """The row count of a part whose manifest exists and has the right checksum, else None."""
    try:
        manifest = json.loads(path.with_suffix(".json").read_text())
        return int(manifest["rows"]) if manifest["checksum"] == checksum(path) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_solutions(paths: Iterable[Path]) -> Iterator[Solution]:
    """The solutions in part files. Intermediate turns are left out: they have no verdict."""
    return (row for path in paths for row in read_table(path, Solution) if row.status != "turn")


def statuses_of(rows: Iterable[Solution]) -> dict[str, dict[str, int]]:
    """Verdict statuses of each method, counted, most frequent first."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row.method, Counter())[row.status] += 1
    return {method: dict(of.most_common()) for method, of in counts.items()}


@contextlib.contextmanager
def solver_of(context: StageContext, round_: RoundDirectory, stage: str, commit: Commit) -> Iterator[Solver]:
    """The solver of a stage: the model that the run holds, or its teacher.

    A teacher that consists of views can only generate; the model does the rest. The calls of an endpoint are counted
    in `commit.figures["teacher"]` when the block ends.
    """
    config = context.config
    teacher = config.teacher if config.generator == "teacher" else None
    with contextlib.ExitStack() as exit_:
        if teacher is None or (teacher.views and stage != "generate"):
            solver = context.solver(context.current_checkpoint(round_.number - 1), commit)
        elif teacher.endpoint is not None:
            solver = exit_.enter_context(_endpoint(context, teacher, f"round-{round_.number:03d}/{stage}", commit))
        elif teacher.path is not None:
            solver = context.solver(located(teacher.path), commit, style=teacher.style, engine=teacher.engine)
        else:
            solver = _views(context, teacher.noise, commit)
        if stage == "translate":
            yield replace(solver, temperature=config.translate.temperature)
        else:
            yield replace(solver, temperature=config.sampling.temperature, top_p=config.sampling.top_p)


@contextlib.contextmanager
def _endpoint(context: StageContext, teacher: TeacherConfig, stage: str, commit: Commit) -> Iterator[Solver]:
    from mmst.engine.endpoint import Endpoint, as_messages
    from mmst.engine.replies import Replies

    assert teacher.endpoint is not None
    style = "chat" if teacher.style == "auto" else teacher.style
    replies = Replies(context.run.root / "teacher" / "calls.jsonl")
    model = Endpoint(teacher.endpoint, style == "chat", replies, stage)
    names = {"solver": f"{teacher.endpoint.model} at {teacher.endpoint.url}"}
    try:
        yield context.solver_by(model, PromptFormat(style, template=as_messages), names, commit)
    finally:
        context.runtime.wait(model.close())
        commit.figures["teacher"] = replies.figures(stage)
        replies.close()


def _views(context: StageContext, noise: float, commit: Commit) -> Solver:
    problems = context.problems["train"]
    for method in context.methods:
        if not any(method.view in problem.views for problem in problems):
            raise InputError(
                f"teacher.views: no train problem has the view `{method.view}` of method {method.name}; "
                "problems.synthetic.views_everywhere gives it to synthetic problems"
            )
    model = Views(problems, context.methods, PromptFormat(), noise)
    return context.solver_by(model, PromptFormat(), {"solver": f"views, {noise:.0%} corrupted"}, commit)


class Views:
    """A model (`mmst.methods.method.Model`) that replies with the views of the problems, or with an error to a prompt
    without a view. A share `noise` of the views is corrupted, drawn with the seed of the request."""

    def __init__(
        self, problems: Sequence[Problem], methods: Sequence[Method], prompt_format: PromptFormat, noise: float
    ) -> None:
        self._noise = noise
        self._replies = {
            example.prompt: example.completion
            for method, problem in product(methods, problems)
            if problem.views.get(method.view)
            for example in method.examples(
                prompt_format, problem.question, method.from_view(problem.views[method.view], problem.answer)
            )
        }

    async def complete(self, request: Request) -> Completion:
        """The view, or its corrupted form."""
        text = self._replies.get(request.prompt)
        if text is None:
            return Completion("", "error", 0)
        rng = random.Random(request.seed)
        return Completion(corrupted(text, rng) if rng.random() < self._noise else text, "stop", 0)
