"""Every method prompts in three styles, reads completions, and renders solutions for training and translation."""

import asyncio
import json

import pytest

from mmst.errors import InputError
from mmst.methods import METHODS, cascade_order, method_and_view, methods_named
from mmst.methods.card import card_of, prompt_format_of
from mmst.methods.method import SamplingParams
from mmst.methods.prompts import PromptFormat
from mmst.records import Completion, Problem, Request
from mmst.verify.programs import Sandbox

COT, POT = METHODS["cot"], METHODS["pot"]
QUESTION = "Ann has 3 apples and buys 4 more. How many has she?"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


def written(text: str, finish_reason: str = "stop") -> Completion:
    return Completion(text, finish_reason, len(text.split()))


def test_the_instruction_stands_after_the_question_for_a_tuned_model() -> None:
    prompt = POT.prompt(PromptFormat("tuned"), QUESTION)
    assert prompt == f"{QUESTION}\n{POT.task_prompt.solve}\n"


def test_a_base_model_is_shown_examples_and_stopped_at_the_next_question() -> None:
    prompt_format = PromptFormat("base")
    prompt = COT.prompt(prompt_format, QUESTION)
    assert prompt.count("Question:") == len(COT.task_prompt.few_shot) + 1
    assert prompt.rstrip().endswith(COT.task_prompt.solve)
    assert prompt_format.stop


def test_a_chat_model_is_asked_by_its_template() -> None:
    prompt_format = PromptFormat("chat", template=lambda messages: f"<user>{messages[0]['content']}<bot>")
    prompt = COT.prompt(prompt_format, QUESTION)
    assert prompt.startswith(f"<user>{QUESTION}")
    assert prompt.endswith("<bot>")


def test_the_examples_shown_are_right(sandbox) -> None:
    for method in METHODS.values():
        for shot, other in zip(method.task_prompt.few_shot, COT.task_prompt.few_shot, strict=True):
            verdict = method.answer(shot.solution, sandbox)
            assert verdict.status == "ok"
            assert verdict.key == COT.answer(other.solution, sandbox).key
            assert method.false_calculation(shot.solution) is None


def test_a_rationale_is_read_by_the_answer_it_states_last(sandbox) -> None:
    verdict = COT.read(written("3 + 4 = 7, not 8. The answer is 7 apples."), sandbox)
    assert (verdict.status, verdict.key) == ("ok", POT.read(written("print(7.0)"), sandbox).key)


def test_a_program_is_run_for_its_answer(sandbox) -> None:
    assert POT.read(written("total = 3 + 4\nprint(total)"), sandbox).answer == "7"
    assert POT.read(written("```python\nprint(5)\n```\nThat is 6."), sandbox).answer == "5"


@pytest.mark.parametrize(
    ("method", "text", "reason", "status"),
    [
        (COT, "I do not know", "stop", "no_answer"),
        (COT, "The answer is 7.", "length", "truncated"),
        (COT, "The answer is 7.", "special", "no_answer"),
        (POT, "total = 3 +", "stop", "syntax_error"),
        (POT, "print(1 / 0)", "stop", "runtime_error"),
        (POT, "total = 3", "stop", "no_answer"),
        (POT, "print(7)", "length", "truncated"),
        (POT, "open('/etc/passwd').read()\nprint(7)", "stop", "forbidden"),
    ],
)
def test_what_gives_no_answer_says_why(sandbox, method, text, reason, status) -> None:
    verdict = method.read(written(text, reason), sandbox)
    assert (verdict.status, verdict.key) == (status, None)


def test_programs_are_translated_with_what_they_computed() -> None:
    assert POT.with_values("total = 3 + 4\nrest = total - 5\nprint(rest)") == (
        "total = 3 + 4 # 7\nrest = total - 5 # 2\nprint(rest) # 2"
    )


def test_a_false_calculation_is_found_and_a_true_one_is_not() -> None:
    assert COT.false_calculation("3 + 4 = 8. The answer is 7.")
    assert COT.false_calculation("3 + 4 = 7. 100% - 25% = 75%. The answer is 7.") is None


def test_duplicates_are_the_same_whatever_they_are_called() -> None:
    assert POT.duplicate_key("a = 3 + 4\nprint(a)") == POT.duplicate_key("total = 3 + 4  # apples\nprint(total)")
    assert POT.duplicate_key("a = 3 + 4\nprint(a)") != POT.duplicate_key("a = 4 + 3\nprint(a)")
    assert COT.duplicate_key("She has 3 + 4 = 7.") == COT.duplicate_key("Now 3 + 4 = 7 apples!")
    assert COT.duplicate_key("She has 3 + 4 = 7.") != COT.duplicate_key("She has 4 + 3 = 7.")


def test_a_view_that_does_not_state_the_answer_gets_the_sentence_that_does() -> None:
    assert COT.from_view("3 + 4 = 7", "7") == "3 + 4 = 7\nThe answer is 7."
    assert COT.from_view("The answer is 7.", "7") == "The answer is 7."


def test_a_checkpoint_says_how_to_ask_it(tmp_path) -> None:
    methods = [COT, POT]
    card = card_of(PromptFormat("tuned", {"cot": "In words, please."}), methods, round=3)
    (tmp_path / "mmst.json").write_text(json.dumps(card))
    prompt_format = prompt_format_of(tmp_path)
    assert COT.prompt(prompt_format, QUESTION) == f"{QUESTION}\nIn words, please.\n"
    assert card["instructions"]["pot->cot"] == COT.task_prompt.translate


def test_a_broken_card_is_named(tmp_path) -> None:
    (tmp_path / "mmst.json").write_text('{"style": "loud"}')
    with pytest.raises(InputError, match=r"mmst\.json"):
        prompt_format_of(tmp_path)


def test_an_unknown_and_a_doubled_method_are_refused() -> None:
    with pytest.raises(InputError, match="no method `haiku`"):
        methods_named(["cot", "haiku"])
    with pytest.raises(InputError, match="twice"):
        methods_named(["cot", "cot"])


def test_solving_asks_once_with_the_seed_of_the_turn() -> None:
    asked: list[Request] = []

    class Parrot:
        async def complete(self, request: Request) -> Completion:
            asked.append(request)
            return written("The answer is 7.")

    async def verify(method: str, completion: Completion):
        raise AssertionError("not needed for one turn")

    sampling = SamplingParams(lambda role, turn: hash((role, turn)), max_tokens=9, temperature=0.5)
    turns = asyncio.run(COT.solve(Problem(id="a", question=QUESTION), PromptFormat(), Parrot(), verify, sampling))
    assert [turn.completion.text for turn in turns] == ["The answer is 7."]
    assert (asked[0].seed, asked[0].max_tokens, asked[0].temperature) == (hash(("solver", 0)), 9, 0.5)


def test_a_view_names_the_method_that_it_shows_and_equations_show_eot() -> None:
    assert method_and_view("program") == (METHODS["pot"], "program")
    assert method_and_view("pot") == (METHODS["pot"], "program")
    assert method_and_view("equation") == (METHODS["eot"], "equation")
    assert method_and_view("haiku") is None


def test_a_cascade_begins_with_what_is_executed() -> None:
    methods = methods_named(["cot", "eot", "pot"])
    assert cascade_order(methods) == ["eot", "pot", "cot"]
    assert cascade_order(methods, ["pot", "eot", "cot"]) == ["pot", "eot", "cot"]


def test_a_base_model_translates_without_the_question_from_examples_without_one() -> None:
    prompt = POT.translation_prompt(PromptFormat("base"), "print(3 + 4)", COT, None)
    assert not any(example.question in prompt for example in POT.task_prompt.few_shot)
    prompt = POT.translation_prompt(PromptFormat("base"), "print(3 + 4)", COT, QUESTION)
    assert all(example.question in prompt for example in POT.task_prompt.few_shot)


@pytest.mark.parametrize(
    ("method", "text", "answer"),
    [
        (COT, "<think>Perhaps the answer is 30.</think>\n**31**. The answer is 31.", "31"),
        (COT, "The answer is 30.</think>The answer is 31.", "31"),
        (COT, "<think>The answer is 30", None),
        (POT, "<think>```python\nprint(30)\n```</think>print(31)", "31"),
    ],
)
def test_thinking_is_not_read(sandbox, method, text: str, answer: str | None) -> None:
    assert method.read(written(text), sandbox).answer == answer


def test_a_program_followed_by_its_output_is_run(sandbox) -> None:
    text = "```python\nprint(6 * 7)\n```\nOutput:\n```\n42\n```"
    assert POT.read(written(text), sandbox).answer == "42"
    assert POT.solution(text) == "print(6 * 7)"
