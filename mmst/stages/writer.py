"""Who writes a round's solutions: the model that the loop holds, or a teacher in its place."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator
from itertools import product

from mmst.actors.solver import Solver
from mmst.config import TeacherConfig
from mmst.errors import InputError
from mmst.methods.method import Method
from mmst.methods.prompts import PromptFormat
from mmst.problems.noise import corrupted
from mmst.records import Completion, Problem, Request
from mmst.runs.checkpoints import located
from mmst.runs.directory import Commit, RoundDirectory
from mmst.stages.context import StageContext


class Views:
    """The views of problems as a model that was asked for them (`mmst.methods.method.Model`), `noise` being the share
    that is corrupted, drawn with the seed of the request. A request for anything else stays without a reply."""

    def __init__(
        self, problems: Iterable[Problem], methods: Iterable[Method], prompt_format: PromptFormat, noise: float
    ) -> None:
        self._noise = noise
        self._solutions = {
            example.prompt: example.completion
            for method, problem in product(methods, problems)
            if problem.views.get(method.view)
            for example in method.examples(
                prompt_format, problem.question, method.from_view(problem.views[method.view], problem.answer)
            )
        }

    async def complete(self, request: Request) -> Completion:
        """The view, or what became of it."""
        text = self._solutions.get(request.prompt)
        if text is None:
            return Completion("", "error", 0)
        rng = random.Random(request.seed)
        return Completion(corrupted(text, rng) if rng.random() < self._noise else text, "stop", 0)


@contextlib.contextmanager
def writer(
    context: StageContext, round_: RoundDirectory, stage: str, commit: Commit, temperature: float
) -> Iterator[Solver]:
    """Whoever writes the solutions of a stage (generate, hint, translate), for as long as the block runs.

    A teacher that consists of views can only generate; what else a round asks for, the model itself writes. What an
    endpoint was asked is counted in `commit.figures["teacher"]` when the block ends.
    """
    top_p = context.config.sampling.top_p if stage != "translate" else 1.0
    teacher = context.config.teacher if context.config.generator == "teacher" else None
    if teacher is None or (teacher.views and stage != "generate"):
        yield context.solver(round_.number - 1, commit, temperature, top_p)
    elif teacher.endpoint is not None:
        with _endpoint(context, teacher, f"round-{round_.number:03d}/{stage}", commit, temperature, top_p) as solver:
            yield solver
    elif teacher.path is not None:
        checkpoint = located(teacher.path)
        yield context.solver_for(checkpoint, commit, temperature, top_p, style=teacher.style, engine=teacher.engine)
    else:
        yield _views(context, teacher, commit)


def _views(context: StageContext, teacher: TeacherConfig, commit: Commit) -> Solver:
    for method in context.methods:
        if not any(method.view in problem.views for problem in context.problems["train"]):
            raise InputError(
                f"teacher.views: no train problem has the view `{method.view}` of method {method.name}; synthetic "
                "ones have it with problems.synthetic.views_everywhere"
            )
    model = Views(context.problems["train"], context.methods, PromptFormat(), teacher.noise)
    return context.solver_by(model, PromptFormat(), {"solver": f"views, {teacher.noise:.0%} corrupted"}, commit)


@contextlib.contextmanager
def _endpoint(
    context: StageContext, teacher: TeacherConfig, stage: str, commit: Commit, temperature: float, top_p: float
) -> Iterator[Solver]:
    from mmst.engine.endpoint import Endpoint, as_messages
    from mmst.engine.replies import Replies

    assert teacher.endpoint is not None
    style = "chat" if teacher.style == "auto" else teacher.style
    replies = Replies(context.run.root / "teacher" / "calls.jsonl")
    model = Endpoint(teacher.endpoint, style == "chat", replies, stage)
    names = {"solver": f"{teacher.endpoint.model} at {teacher.endpoint.url}"}
    try:
        yield context.solver_by(model, PromptFormat(style, template=as_messages), names, commit, temperature, top_p)
    finally:
        context.runtime.wait(model.close())
        commit.figures["teacher"] = replies.figures(stage)
        replies.close()
