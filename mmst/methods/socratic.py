"""Sub-questions: a decomposer asks what leads to the answer, a solver answers (Shridhar et al. 2022, arXiv 2212.00193).

A solution is the whole dialogue as one text, `Q: ` and `A: ` lines in turn, the last of which states the answer to the
problem. So it is read, filtered, translated and trained on like any other solution.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from mmst.config import Config, SocraticConfig
from mmst.errors import InputError
from mmst.methods.cot import ChainOfThought
from mmst.methods.method import text_key
from mmst.methods.prompts import FewShotExample, TaskPrompt, few_shot
from mmst.records import Example, Turn, Verdict
from mmst.verify.answers.finding import states_answer

if TYPE_CHECKING:
    from mmst.methods.method import Model, SamplingParams, Verify
    from mmst.methods.prompts import PromptFormat
    from mmst.records import Completion, Problem
    from mmst.verify.programs import Sandbox

Pair = tuple[str, str]
"""A sub-question and its answer, which is empty if there is none."""

DECOMPOSE, SOLVE, CONCLUDE, SOLVE_ALL = (f"socratic/{task}" for task in ("decompose", "solve", "conclude", "solve_all"))
ASKED_AGAIN = 3
"""How often a sub-question may be repeated. A sixth of GSM8K's dialogues ask one twice, one in 130 more than three
times; none answers it twice in the same way."""

_MARK = re.compile(r"^[ \t*]*(?:(?P<question>(?:[Ss]ub-?)?[Qq](?:uestion)?)|A)[ \t\d*]*:[ \t*]*", re.MULTILINE)
_NUMBERING = re.compile(r"^[\s*#•(–-]*(?:\d+[.):]\s*)?")


def dialogue(pairs: Iterable[Pair]) -> str:
    """Questions and answers as text."""
    return "\n".join(f"Q: {question}" + (f"\nA: {answer}" if answer else "") for question, answer in pairs)


def pairs_in(text: str) -> list[Pair]:
    """The questions of a dialogue with their answers."""
    pairs: list[Pair] = []
    for is_question, passage in _passages(text):
        if is_question:
            pairs.append((passage.partition("\n")[0].strip(" \t*"), ""))
        elif pairs:
            question, before = pairs[-1]
            pairs[-1] = question, f"{before}\n{passage}".strip()
    return pairs


def questions_in(text: str) -> list[str]:
    """The sub-questions that a decomposer wrote: the marked ones, or else the lines with a question mark."""
    marked = [question for question, _ in pairs_in(text) if question]
    return marked or [_NUMBERING.sub("", line).strip(" \t*") for line in text.splitlines() if "?" in line]


def exchanges(question: str, pairs: Sequence[Pair], solving: str) -> Iterator[tuple[str, str, str]]:
    """The requests that lead to a dialogue, in order: task, the text that the prompt shows, and the right reply."""
    questions = [asked for asked, _ in pairs]
    yield DECOMPOSE, question, _ask_all(questions)
    if solving == "at_once":
        yield SOLVE_ALL, f"{question}\n{_ask_all(questions)}", "\n".join(f"A: {answer}" for _, answer in pairs)
        return
    for number, (_, answer) in enumerate(pairs):
        yield *_ask_next(question, pairs[:number], questions), answer


def _ask_all(questions: Iterable[str]) -> str:
    return dialogue((question, "") for question in questions)


def _ask_next(question: str, done: Sequence[Pair], questions: Sequence[str]) -> tuple[str, str]:
    """The task of answering the first open question, and the text that its prompt shows."""
    shown = dialogue([*done, (questions[len(done)], "")])
    return CONCLUDE if len(done) == len(questions) - 1 else SOLVE, f"{question}\n{shown}"


def _passages(text: str) -> Iterator[tuple[bool, str]]:
    """Every marked passage: whether it is a question, and its text."""
    marks = list(_MARK.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    for mark, end in zip(marks, ends, strict=False):
        yield mark["question"] is not None, text[mark.end() : end].strip()


def _reply(text: str) -> str:
    """The answer to one question, without further questions that the solver asks itself."""
    mark = _MARK.match(text := text.strip())
    text = text[mark.end() :] if mark and not mark["question"] else text
    return _MARK.split(text)[0].strip()


def _answered(questions: Sequence[str], text: str) -> list[Pair]:
    """All questions with the answers in one text; surplus answers belong to the last question."""
    answers = [passage for is_question, passage in _passages(text) if not is_question] or [text.strip()]
    last = len(questions) - 1
    answers[last:] = ["\n".join(answers[last:])] if answers[last:] else []
    return list(zip_longest(questions, answers, fillvalue=""))


_DIALOGUES = few_shot(
    "Q: How many pencils do the boxes hold?\nA: The boxes hold 3 * 12 = 36 pencils.\n"
    "Q: How many pencils does Mia keep?\nA: Mia keeps 36 - 5 = 31 pencils.\nThe answer is 31.",
    "Q: What does a child pay?\nA: A child pays 8 / 2 = 4 dollars.\n"
    "Q: What do the adults pay?\nA: The adults pay 2 * 8 = 16 dollars.\n"
    "Q: What do the children pay?\nA: The children pay 3 * 4 = 12 dollars.\n"
    "Q: What do they pay together?\nA: Together they pay 16 + 12 = 28 dollars.\nThe answer is 28.",
)
_INSTRUCTIONS = {
    DECOMPOSE: (
        "Ask the questions that lead to the answer.",
        'Write each question on a line of its own that begins with "Q: ", last the one that the problem asks. '
        "Answer none of them.",
    ),
    SOLVE: ("Answer the last question.", "Write out its calculation, and nothing else."),
    CONCLUDE: (
        "Answer the last question and the problem.",
        'Write out its calculation, and end with a line "The answer is ...".',
    ),
    SOLVE_ALL: (
        "Answer every question and the problem.",
        'Write out each calculation on a line that begins with "A: ", and end with a line "The answer is ...".',
    ),
}


def _examples_of(task: str) -> tuple[FewShotExample, ...]:
    solving = "at_once" if task == SOLVE_ALL else "iterative"
    shown = [each for shot in _DIALOGUES for each in exchanges(shot.question, pairs_in(shot.solution), solving)]
    return tuple(FewShotExample(question, reply) for name, question, reply in shown if name == task)


TASKS = {task: TaskPrompt(solve, "", explain, _examples_of(task)) for task, (solve, explain) in _INSTRUCTIONS.items()}


class Socratic(ChainOfThought):
    """Sub-questions and their answers. The answer is the last one stated."""

    name = "socratic"
    view = "socratic"
    task_prompt = TaskPrompt(
        solve="Solve it by questions and answers.",
        translate="Rewrite it as questions and answers.",
        explain='Write lines "Q: ..." and "A: ..." in turn, with the calculation of each step, and end with a line '
        '"The answer is ...".',
        few_shot=_DIALOGUES,
    )

    def __init__(self, settings: SocraticConfig | None = None) -> None:
        self.settings = settings or SocraticConfig()

    def configured(self, config: Config) -> Socratic:
        return Socratic(config.socratic)

    @property
    def tasks(self) -> Mapping[str, TaskPrompt]:
        return TASKS

    def with_reference(self, problem: Problem) -> Socratic | None:
        """With the sub-questions of the data: the accuracy of the solver if the decomposer were right."""
        if not problem.views.get(self.view):
            return None
        return Socratic(self.settings.model_copy(update={"questions": "reference"}))

    async def solve(
        self, problem: Problem, prompt_format: PromptFormat, model: Model, verify: Verify, sampling: SamplingParams
    ) -> list[Turn]:
        """Ask the decomposer once, then the solver once or for each question, until a reply is missing."""
        turns: list[Turn] = []
        pairs: list[Pair] = []

        async def ask(task: str, shown: str) -> Completion:
            prompt = prompt_format.to_solve(task, TASKS[task], shown)
            request = sampling.request(prompt, role=_role(task), turn=len(turns), stop=prompt_format.stop)
            completion = await model.complete(request)
            turns.append(Turn(request, completion))
            return completion

        if self.settings.questions == "reference" and problem.views.get(self.view):
            questions = [question for question, _ in _pairs_of(problem.views[self.view])]
        else:
            completion = await ask(DECOMPOSE, problem.question)
            questions = questions_in(completion.visible)
            if completion.finish_reason != "stop" or self._fault(questions):
                return _ending(turns, _ask_all(questions))
        if self.settings.solving == "at_once":
            completion = await ask(SOLVE_ALL, f"{problem.question}\n{_ask_all(questions)}")
            return _ending(turns, dialogue(_answered(questions, completion.visible)))
        while len(pairs) < len(questions):
            completion = await ask(*_ask_next(problem.question, pairs, questions))
            pairs.append((questions[len(pairs)], _reply(completion.visible)))
            if completion.finish_reason != "stop" or not pairs[-1][1]:
                break
        return _ending(turns, dialogue(pairs))

    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        pairs = pairs_in(text)
        if fault := self._fault([question for question, _ in pairs]):
            return Verdict(fault)
        if not all(answer for _, answer in pairs):
            return Verdict("unanswered_question")
        if len({(text_key(question), text_key(answer)) for question, answer in pairs}) < len(pairs):
            return Verdict("repeated_question")
        return super().answer(pairs[-1][1], sandbox)

    def _fault(self, questions: Sequence[str]) -> str | None:
        """Why these sub-questions cannot lead to an answer."""
        if not questions:
            return "no_questions"
        if len(questions) > self.settings.max_questions:
            return "too_many_questions"
        most = max(Counter(map(text_key, questions)).values())
        return "repeated_question" if most > ASKED_AGAIN else None

    def solution(self, text: str) -> str:
        return dialogue(pairs_in(text)) or text.strip()

    def examples(self, prompt_format: PromptFormat, question: str, text: str) -> list[Example]:
        """One example for the decomposer; for the solver one, or one per answer, which share a task."""
        return [
            Example(
                prompt_format.to_solve(task, TASKS[task], shown),
                reply,
                task=DECOMPOSE if task == DECOMPOSE else SOLVE,
                role=_role(task),
            )
            for task, shown, reply in exchanges(question, pairs_in(text), self.settings.solving)
        ]

    def from_view(self, view: Any, answer: str | None) -> str:
        """The pairs as a dialogue; a sentence that states the answer to the problem is added to the last one."""
        pairs = _pairs_of(view)
        if pairs and answer is not None and not states_answer(pairs[-1][1]):
            pairs[-1] = pairs[-1][0], f"{pairs[-1][1]}\nThe answer is {answer}."
        return dialogue(pairs)


def _role(task: str) -> str:
    return "decomposer" if task == DECOMPOSE else "solver"


def _ending(turns: Sequence[Turn], text: str) -> list[Turn]:
    """The turns, the last one with the whole dialogue as its text."""
    *before, last = turns
    return [*before, replace(last, completion=replace(last.completion, text=text or last.completion.text))]


def _pairs_of(view: Any) -> list[Pair]:
    """A view as pairs, each on one line. Raises InputError if it is not one."""
    try:
        return [(" ".join(question.split()), " ".join(answer.split())) for question, answer in view]
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"view `socratic`: expected pairs of sub-question and answer, found {str(view)[:80]!r}"
        ) from error
