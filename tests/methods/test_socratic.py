"""Sub-questions: the requests of both roles, how replies are read, and that no decomposer crashes it or runs away."""

import asyncio
from collections.abc import Callable

import pytest

from mmst.config import SocraticConfig
from mmst.errors import InputError
from mmst.methods import METHODS
from mmst.methods.card import card_of
from mmst.methods.method import SamplingParams
from mmst.methods.prompts import PromptFormat
from mmst.methods.socratic import TASKS, Socratic, dialogue, pairs_in
from mmst.records import Completion, Problem, Request, Verdict
from mmst.verify.programs import Sandbox

VIEW = [["How many has Ann?", "Ann has 3 + 4 = 7."], ["How many has Tom?", "Tom has 7 - 2 = 5."]]
PROBLEM = Problem(id="p", question="Ann has 3 and buys 4. Tom has 2 fewer.", answer="5", views={"socratic": VIEW})
DIALOGUE = "Q: How many has Ann?\nA: Ann has 3 + 4 = 7.\nQ: How many has Tom?\nA: Tom has 7 - 2 = 5.\nThe answer is 5."
Reply = Callable[[Request], Completion]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


def written(text: str, finish_reason: str = "stop") -> Completion:
    return Completion(text, finish_reason, len(text.split()))


class Played:
    """A model that plays both roles by given replies, and remembers what it was asked."""

    def __init__(self, *replies: str | Completion) -> None:
        self.replies = iter(replies)
        self.asked: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        self.asked.append(request)
        reply = next(self.replies)
        return written(reply) if isinstance(reply, str) else reply


def solved(model: Played, sandbox: Sandbox, problem: Problem = PROBLEM, **settings) -> tuple[list, Verdict]:
    method = Socratic(SocraticConfig(**settings))

    async def verify(name: str, completion: Completion) -> Verdict:
        raise AssertionError("no verdict is needed on the way")

    sampling = SamplingParams(lambda role, turn: len(role) * 100 + turn, max_tokens=9)
    turns = asyncio.run(method.solve(problem, PromptFormat(), model, verify, sampling))
    return turns, method.read(turns[-1].completion, sandbox)


def test_the_decomposer_asks_and_the_solver_answers_one_by_one(sandbox) -> None:
    model = Played(
        "Q: How many has Ann?\nQ: How many has Tom?", "Ann has 3 + 4 = 7.", "Tom has 7 - 2 = 5.\nThe answer is 5."
    )
    turns, verdict = solved(model, sandbox)
    assert [turn.request.role for turn in turns] == ["decomposer", "solver", "solver"]
    assert turns[-1].completion.text == DIALOGUE
    assert (verdict.status, verdict.key) == ("ok", "5")
    q = PROBLEM.question
    assert [request.prompt.removesuffix("\n").splitlines()[-1] for request in model.asked] == [
        "Ask the questions that lead to the answer.",
        "Answer the last question.",
        "Answer the last question and the problem.",
    ]
    assert model.asked[2].prompt.startswith(f"{q}\nQ: How many has Ann?\nA: Ann has 3 + 4 = 7.\nQ: How many has Tom?\n")
    assert len({request.seed for request in model.asked}) == 3


def test_the_solver_can_answer_all_at_once(sandbox) -> None:
    model = Played(
        "Q: How many has Ann?\nQ: How many has Tom?",
        "A: Ann has 3 + 4 = 7.\nA: Tom has 7 - 2 = 5.\nThe answer is 5.",
    )
    turns, verdict = solved(model, sandbox, solving="at_once")
    assert turns[-1].completion.text == DIALOGUE
    assert len(turns) == 2
    assert verdict.key == "5"


def test_reference_questions_need_no_decomposer_and_are_taken_only_where_there_are_some(sandbox) -> None:
    model = Played("Ann has 3 + 4 = 7.", "Tom has 7 - 2 = 5.\nThe answer is 5.")
    turns, _ = solved(model, sandbox, questions="reference")
    assert {request.role for request in model.asked} == {"solver"}
    assert turns[-1].completion.text == DIALOGUE
    assert METHODS["socratic"].with_reference(PROBLEM).settings.questions == "reference"
    bare = PROBLEM.model_copy(update={"views": {}})
    assert METHODS["socratic"].with_reference(bare) is None
    turns, _ = solved(Played("Q: How many?", "The answer is 5."), sandbox, bare, questions="reference")
    assert turns[0].request.role == "decomposer"


MANY = "\n".join(f"Q: What is {n}?" for n in range(100))


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("", "no_questions"),
        ("I would rather not.", "no_questions"),
        ("\x00🙂 ::: 17 )))", "no_questions"),
        (MANY, "too_many_questions"),
        ("Q: How many?\n" * 9, "repeated_question"),
        (written("Q: How many has Ann?\nQ: How many", "length"), "truncated"),
        (written("Q: How many has Ann?", "special"), "no_answer"),
    ],
)
def test_a_decomposer_that_fails_has_a_verdict_of_its_own_and_no_answer_is_asked_for(sandbox, asked, status) -> None:
    model = Played(asked)
    turns, verdict = solved(model, sandbox)
    assert (verdict.status, verdict.key) == (status, None)
    assert len(turns) == 1


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([""], "unanswered_question"),
        ([written("Ann has", "length")], "truncated"),
        (["Ann has 7.", written("Tom", "length")], "truncated"),
        (["Ann has 7.", "Q: What now?"], "unanswered_question"),
        (["Ann has 7.", "Nobody knows."], "no_answer"),
    ],
)
def test_a_solver_that_fails_ends_the_solution(sandbox, answers, status) -> None:
    model = Played("Q: How many has Ann?\nQ: How many has Tom?", *answers)
    turns, verdict = solved(model, sandbox)
    assert (verdict.status, verdict.key) == (status, None)
    assert len(turns) == len(answers) + 1


def test_too_few_answers_at_once_are_no_solution(sandbox) -> None:
    model = Played("Q: How many has Ann?\nQ: How many has Tom?", "A: Ann has 7.")
    assert solved(model, sandbox, solving="at_once")[1].status == "unanswered_question"


def test_questions_are_read_however_they_are_listed(sandbox) -> None:
    model = Played(
        "Sure! Here they are:\n1. How many has Ann?\n- **How many has Tom?**\nGood luck.", "7.", "The answer is 5."
    )
    turns, verdict = solved(model, sandbox)
    assert pairs_in(turns[-1].completion.text) == [
        ("How many has Ann?", "7."),
        ("How many has Tom?", "The answer is 5."),
    ]
    assert verdict.key == "5"


def test_a_solver_that_goes_on_asking_itself_is_cut(sandbox) -> None:
    model = Played("Q: How many has Tom?", "A: Tom has 5.\nQ: And Ann?\nA: She has 7.")
    turns, verdict = solved(model, sandbox)
    assert turns[-1].completion.text == "Q: How many has Tom?\nA: Tom has 5."
    assert verdict.key == "5"


def test_a_question_may_come_again_for_its_next_part_but_not_with_the_same_answer(sandbox) -> None:
    def verdict(*pairs: tuple[str, str]) -> str:
        return METHODS["socratic"].answer(dialogue(pairs), sandbox).status

    assert verdict(("How many?", "3 + 4 = 7."), ("How many?", "7 - 2 = 5.")) == "ok"
    assert verdict(("How many?", "3 + 4 = 7."), ("How many?", "3 + 4 = 7!")) == "repeated_question"


def test_a_view_is_one_text_that_is_read_back_as_it_was(sandbox) -> None:
    method = METHODS["socratic"]
    text = method.from_view(VIEW, "5")
    assert text == DIALOGUE
    assert method.solution(f"Let me see.\n{text}\n") == DIALOGUE
    assert method.answer(text, sandbox).key == "5"
    assert method.false_calculation(text) is None
    assert method.false_calculation(text.replace("= 7", "= 8")) == "3 + 4 = 8"
    assert method.calculates(text)
    assert not method.calculates("Q: How many?\nA: The answer is 5.")
    assert method.duplicate_key(text) == METHODS["cot"].duplicate_key("3 + 4 = 7, 7 - 2 = 5")


def test_a_view_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match="pairs of sub-question and answer"):
        METHODS["socratic"].from_view("How many?", "5")


@pytest.mark.parametrize(("solving", "rows"), [("iterative", 3), ("at_once", 2)])
def test_training_rows_are_exactly_what_solving_asks_and_wants_back(sandbox, solving, rows) -> None:
    """A model that gives back what it was trained on gets through to the answer."""
    method = Socratic(SocraticConfig(solving=solving))
    examples = method.examples(PromptFormat(), PROBLEM.question, DIALOGUE)
    assert len(examples) == rows
    assert [example.task for example in examples] == ["socratic/decompose"] + ["socratic/solve"] * (rows - 1)
    assert [example.role for example in examples] == ["decomposer"] + ["solver"] * (rows - 1)
    model = Played(*(example.completion for example in examples))
    turns, verdict = solved(model, sandbox, solving=solving)
    assert [request.prompt for request in model.asked] == [example.prompt for example in examples]
    assert [request.role for request in model.asked] == [example.role for example in examples]
    assert turns[-1].completion.text == DIALOGUE
    assert verdict.key == "5"


def test_a_model_that_was_only_pretrained_is_shown_each_task() -> None:
    for task, task_prompt in TASKS.items():
        prompt = PromptFormat("base").to_solve(task, task_prompt, PROBLEM.question)
        assert prompt.count("Question:") == len(task_prompt.few_shot) + 1 > 2


def test_a_card_holds_the_instructions_of_every_task() -> None:
    card = card_of(PromptFormat("tuned"), [METHODS["cot"], METHODS["socratic"]])
    assert card["instructions"]["socratic/decompose"] == TASKS["socratic/decompose"].solve
    assert "socratic" not in card["instructions"]
    assert "cot->socratic" in card["instructions"]


def test_thinking_of_both_roles_is_not_part_of_the_dialogue(sandbox) -> None:
    model = Played(
        "<think>Q: How many has Eve?</think>Q: How many has Ann?\nQ: How many has Tom?",
        "<think>3 + 4 = 8?</think>Ann has 3 + 4 = 7.",
        "It is 5 - 2.</think>Tom has 7 - 2 = 5.\nThe answer is 5.",
    )
    turns, verdict = solved(model, sandbox)
    assert turns[-1].completion.text == DIALOGUE
    assert verdict.key == "5"
