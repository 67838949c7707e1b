"""A checkpoint is prompted as its card says, unless settings say otherwise, and the card decides nothing else."""

import json
from pathlib import Path

import pytest

from mmst.errors import InputError
from mmst.methods.card import card_of
from mmst.methods.prompts import PromptFormat
from mmst.serving import checkpoint_config


def write_card(directory: Path, **more: object) -> str:
    for name in ("config.json", "tokenizer.json"):
        (directory / name).write_text("{}")
    (directory / "mmst.json").write_text(json.dumps({**card_of(PromptFormat("tuned"), []), **more}))
    return str(directory)


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    socratic = {"models": "two", "solving": "at_once", "questions": "model", "max_questions": 5}
    return write_card(tmp_path, methods=["socratic"], settings={"socratic": socratic})


def test_the_card_says_which_methods_and_how(checkpoint) -> None:
    config = checkpoint_config(checkpoint, "x.jsonl", [], [])
    assert (config.methods, config.roles) == (["socratic"], ("solver", "decomposer"))
    assert (config.socratic.solving, config.socratic.max_questions) == ("at_once", 5)


def test_arguments_win_over_the_card(checkpoint) -> None:
    config = checkpoint_config(checkpoint, "x.jsonl", [], {"socratic.solving": "iterative"})
    assert (config.socratic.solving, config.socratic.max_questions) == ("iterative", 5)
    config = checkpoint_config(checkpoint, "x.jsonl", ["cot"], [])
    assert (config.methods, config.roles) == (["cot"], ("solver",))


def test_a_foreign_card_cannot_choose_the_cluster_the_engine_or_the_sandbox(tmp_path) -> None:
    settings = {
        "cluster": {"address": "ray://elsewhere:10001"},
        "sandbox": {"allow_weak": True},
        "engine": {"gpus": 8},
        "model": {"path": "somebody/else"},
    }
    model = write_card(tmp_path, methods=["cot"], settings=settings)
    config, plain = checkpoint_config(model, "x.jsonl", [], []), checkpoint_config(model, "x.jsonl", ["cot"], [])
    assert config == plain
    assert (config.cluster.address, config.sandbox.allow_weak, config.model.path) == (None, False, model)


@pytest.mark.parametrize("settings", [[], "socratic", {"socratic": 3}])
def test_a_card_with_wrong_types_is_one_message(tmp_path, settings) -> None:
    model = write_card(tmp_path, settings=settings)
    if isinstance(settings, dict):
        with pytest.raises(InputError, match="socratic"):
            checkpoint_config(model, "x.jsonl", [], [])
    else:
        with pytest.raises(InputError, match=r"mmst\.json"):
            checkpoint_config(model, "x.jsonl", [], [])


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere/at/all"])
def test_a_path_without_a_model_is_refused_before_anything_starts(model) -> None:
    with pytest.raises(InputError, match="nowhere"):
        checkpoint_config(model, "x.jsonl", [], [])
