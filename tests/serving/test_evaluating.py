"""A checkpoint is used as its card says, unless it is asked for otherwise."""

import json
from pathlib import Path

import pytest

from mmst.methods.card import card_of
from mmst.methods.prompts import PromptFormat
from mmst.progress import Reporter
from mmst.serving.evaluating import checkpoint_job


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    socratic = {"models": "two", "solving": "at_once", "questions": "model", "max_questions": 5}
    card = {**card_of(PromptFormat("tuned"), []), "methods": ["socratic"], "settings": {"socratic": socratic}}
    (tmp_path / "mmst.json").write_text(json.dumps(card))
    return tmp_path


def test_the_card_says_which_methods_and_how(checkpoint: Path) -> None:
    with checkpoint_job(str(checkpoint), "x.jsonl", [], [], Reporter()) as context:
        (method,) = context.methods
        assert (method.settings.solving, method.settings.max_questions) == ("at_once", 5)
        assert context.config.roles == ("solver", "decomposer")
        assert context.all_methods["socratic"].settings == method.settings


def test_what_is_asked_for_wins_over_the_card(checkpoint: Path) -> None:
    with checkpoint_job(str(checkpoint), "x.jsonl", [], ["socratic.solving=iterative"], Reporter()) as context:
        assert (context.methods[0].settings.solving, context.methods[0].settings.max_questions) == ("iterative", 5)
    with checkpoint_job(str(checkpoint), "x.jsonl", ["cot"], [], Reporter()) as context:
        assert [method.name for method in context.methods] == ["cot"]
        assert context.config.roles == ("solver",)
