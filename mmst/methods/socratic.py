"""Sub-questions: a decomposer asks what leads to the answer, a solver answers (Shridhar et al. 2022, arXiv 2212.00193).

A solution is the whole dialogue, `Q: ` and `A: ` lines in turn; the last answer states that of the problem. One text,
so that it is read, filtered, translated and trained on like any other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from mmst.config import Config, SocraticConfig
from mmst.errors import InputError
from mmst.methods.duplicates import text_key
from mmst.methods.prompts import FewShotExample, TaskPrompt
from mmst.methods.rationale import Rationale
from mmst.records import Example, Turn, Verdict
from mmst.verify.answers import find_answer
from mmst.verify.answers.finding import states_answer

if TYPE_CHECKING:
    from mmst.methods.method import Model, SamplingParams, Verify
    from mmst.methods.prompts import PromptFormat
    from mmst.records import Completion, Problem
    from mmst.verify.programs import Sandbox

Pair = tuple[str, str]
"""A sub-question and its answer; the answer is empty where there is none."""

DECOMPOSE, SOLVE, CONCLUDE, SOLVE_ALL = (f"socratic/{task}" for task in ("decompose", "solve", "conclude", "solve_all"))
ASKED_AGAIN = 3
"""How often the same sub-question may be asked. A sixth of GSM8K's dialogues ask one twice, one in 130 more than
three times; none answers it twice in the same way."""

_MARK = re.compile(r"^[ \t*]*(?:(?P<question>(?:[Ss]ub-?)?[Qq](?:uestion)?)|A)[ \t\d*]*:[ \t*]*", re.MULTILINE)
_NUMBERING = re.compile(r"^[\s*#•(–-]*(?:\d+[.):]\s*)?")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request within a dialogue, and the right reply to it."""

    task: str
    shown: str
    reply: str

    @property
    def role(self) -> str:
        return "decomposer" if self.task == DECOMPOSE else "solver"


def dialogue(pairs: Iterable[Pair]) -> str:
    """Questions and answers as text."""
    return "\n".join(f"Q: {question}" + (f"\nA: {answer}" if answer else "") for question, answer in pairs)


def pairs_in(text: str) -> list[Pair]:
    """The questions of a dialogue with what was answered."""
    pairs: list[Pair] = []
    for asks, said in _said(text):
        if asks:
            pairs.append((said.partition("\n")[0].strip(" \t*"), ""))
        elif pairs:
            question, before = pairs[-1]
            pairs[-1] = question, f"{before}\n{said}".strip()
    return pairs


def questions_in(text: str) -> list[str]:
    """The sub-questions that a decomposer wrote: those marked as such, else the lines that ask something."""
    marked = [question for question, _ in pairs_in(text) if question]
    return marked or [_NUMBERING.sub("", line).strip(" \t*") for line in text.splitlines() if "?" in line]


def _said(text: str) -> Iterator[tuple[bool, str]]:
    """Every marked passage: whether it is a question, and what it says."""
    marks = list(_MARK.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    for mark, end in zip(marks, ends, strict=False):
        yield mark["question"] is not None, text[mark.end() : end].strip()


def _reply(completion: Completion) -> str:
    """What the solver answered to one question, without what it goes on to ask itself."""
    text = completion.text.strip()
    mark = _MARK.match(text)
    if mark and not mark["question"]:
        text = text[mark.end() :]
    mark = _MARK.search(text)
    return text[: mark.start()].strip() if mark else text


def _answered(questions: Sequence[str], completion: Completion) -> list[Pair]:
    """All questions with the answers of one text; what the solver says beyond belongs to the last one."""
    answers = [said for asks, said in _said(completion.text) if not asks] or [completion.text.strip()]
    last = len(questions) - 1
    answers[last:] = ["\n".join(answers[last:])] if answers[last:] else []
    return list(zip_longest(questions, answers, fillvalue=""))


def exchanges(question: str, pairs: Sequence[Pair], solving: str) -> Iterator[Exchange]:
    """The requests that lead to a dialogue about a problem, in their order."""
    questions = dialogue((asked, "") for asked, _ in pairs)
    yield Exchange(DECOMPOSE, question, questions)
    if solving == "at_once":
        yield Exchange(SOLVE_ALL, f"{question}\n{questions}", "\n".join(f"A: {answer}" for _, answer in pairs))
        return
    for number, (_, answer) in enumerate(pairs):
        yield Exchange(*to_answer(question, pairs[:number], [asked for asked, _ in pairs]), answer)


def to_answer(question: str, done: Sequence[Pair], questions: Sequence[str]) -> tuple[str, str]:
    """The task and what is shown to have the first question after those done answered."""
    shown = dialogue([*done, (questions[len(done)], "")])
    return CONCLUDE if len(done) == len(questions) - 1 else SOLVE, f"{question}\n{shown}"


_DIALOGUES = (
    FewShotExample(
        "A box holds 12 pencils. Mia buys 3 boxes and gives away 5 pencils. How many pencils does she keep?",
        "Q: How many pencils do the boxes hold?\nA: The boxes hold 3 * 12 = 36 pencils.\n"
        "Q: How many pencils does Mia keep?\nA: Mia keeps 36 - 5 = 31 pencils.\nThe answer is 31.",
    ),
    FewShotExample(
        "Tickets cost $8 for adults and half as much for children. What do 2 adults and 3 children pay?",
        "Q: What does a child pay?\nA: A child pays 8 / 2 = 4 dollars.\n"
        "Q: What do the adults pay?\nA: The adults pay 2 * 8 = 16 dollars.\n"
        "Q: What do the children pay?\nA: The children pay 3 * 4 = 12 dollars.\n"
        "Q: What do they pay together?\nA: Together they pay 16 + 12 = 28 dollars.\nThe answer is 28.",
    ),
)


def _task(name: str, solve: str, explain: str) -> TaskPrompt:
    solving = "at_once" if name == SOLVE_ALL else "iterative"
    shown = [e for shot in _DIALOGUES for e in exchanges(shot.question, pairs_in(shot.solution), solving)]
    return TaskPrompt(solve, "", explain, tuple(FewShotExample(e.shown, e.reply) for e in shown if e.task == name))


TASKS: dict[str, TaskPrompt] = {
    name: _task(name, solve, explain)
    for name, solve, explain in (
        (
            DECOMPOSE,
            "Ask the questions that lead to the answer.",
            'Write each question on a line of its own that begins with "Q: ", last the one that the problem asks. '
            "Answer none of them.",
        ),
        (SOLVE, "Answer the last question.", "Write out its calculation, and nothing else."),
        (
            CONCLUDE,
            "Answer the last question and the problem.",
            'Write out its calculation, and end with a line "The answer is ...".',
        ),
        (
            SOLVE_ALL,
            "Answer every question and the problem.",
            'Write out each calculation on a line that begins with "A: ", and end with a line "The answer is ...".',
        ),
    )
}


class Socratic(Rationale):
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
        """Sub-questions of the data: what the solver could do if the decomposer were right."""
        if not problem.views.get(self.view):
            return None
        return Socratic(self.settings.model_copy(update={"questions": "reference"}))

    async def solve(
        self, problem: Problem, prompt_format: PromptFormat, model: Model, verify: Verify, sampling: SamplingParams
    ) -> list[Turn]:
        """Ask the decomposer once, then the solver once or for each question, until something is missing."""
        turns: list[Turn] = []
        pairs: list[Pair] = []

        async def ask(task: str, shown: str, role: str) -> Completion:
            prompt = prompt_format.to_solve(task, TASKS[task], shown)
            request = sampling.request(prompt, role=role, turn=len(turns), stop=prompt_format.stop)
            completion = await model.complete(request)
            turns.append(Turn(request, completion))
            return completion

        if self.settings.questions == "reference" and problem.views.get(self.view):
            questions = [question for question, _ in _pairs_of(problem.views[self.view])]
        else:
            completion = await ask(DECOMPOSE, problem.question, "decomposer")
            questions = questions_in(completion.text)
            if completion.finish_reason != "stop" or self._fault(questions):
                return _ending(turns, [(question, "") for question in questions])
        if self.settings.solving == "at_once":
            completion = await ask(SOLVE_ALL, f"{problem.question}\n{dialogue((q, '') for q in questions)}", "solver")
            return _ending(turns, _answered(questions, completion))
        while len(pairs) < len(questions):
            completion = await ask(*to_answer(problem.question, pairs, questions), "solver")
            pairs.append((questions[len(pairs)], _reply(completion)))
            if completion.finish_reason != "stop" or not pairs[-1][1]:
                break
        return _ending(turns, pairs)

    def answer(self, text: str, sandbox: Sandbox) -> Verdict:
        pairs = pairs_in(text)
        fault = self._fault([question for question, _ in pairs])
        if fault:
            return Verdict(fault)
        if not all(answer for _, answer in pairs):
            return Verdict("unanswered_question")
        if len({(text_key(question), text_key(answer)) for question, answer in pairs}) < len(pairs):
            return Verdict("repeated_question")
        found = find_answer(pairs[-1][1])
        return Verdict("ok", found.answer.text, found.answer.key) if found else Verdict("no_answer")

    def _fault(self, questions: Sequence[str]) -> str | None:
        """Why these sub-questions cannot lead to an answer."""
        if not questions:
            return "no_questions"
        if len(questions) > self.settings.max_questions:
            return "too_many_questions"
        again = Counter(map(text_key, questions)).most_common(1)[0][1] > ASKED_AGAIN
        return "repeated_question" if again else None

    def solution(self, text: str) -> str:
        return dialogue(pairs_in(text)) or text.strip()

    def examples(self, prompt_format: PromptFormat, question: str, text: str) -> list[Example]:
        """One row for the decomposer, one for the solver or one for each answer."""
        return [
            Example(prompt_format.to_solve(e.task, TASKS[e.task], e.shown), e.reply, _share(e.task), e.role)
            for e in exchanges(question, pairs_in(text), self.settings.solving)
        ]

    def from_view(self, view: Any, answer: str | None) -> str:
        """Pairs of sub-question and answer; the last answer gets the sentence that states the problem's."""
        pairs = _pairs_of(view)
        if pairs and answer is not None and not states_answer(pairs[-1][1]):
            pairs[-1] = pairs[-1][0], f"{pairs[-1][1]}\nThe answer is {answer}."
        return dialogue(pairs)


def _share(task: str) -> str:
    """The name in `training.mixture`: all that the solver writes is one task."""
    return task if task == DECOMPOSE else SOLVE


def _ending(turns: Sequence[Turn], pairs: Sequence[Pair]) -> list[Turn]:
    """The turns, the last one with the whole dialogue as its text."""
    *before, last = turns
    text = dialogue(pairs) or last.completion.text
    return [*before, replace(last, completion=replace(last.completion, text=text))]


def _pairs_of(view: Any) -> list[Pair]:
    """A view as pairs, each on one line. Raises InputError for one that is none."""
    try:
        return [(" ".join(question.split()), " ".join(answer.split())) for question, answer in view]
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"view `socratic`: expected pairs of sub-question and answer, found {str(view)[:80]!r}"
        ) from error
