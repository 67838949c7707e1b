"""A checkpoint from somebody else describes how it is prompted, and decides nothing else; none of its code runs."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from harness import Commands, fifo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmst.errors import InputError
from mmst.methods.card import held_out_accuracy, prompt_format_of, read_card, role_of
from mmst.serving import checkpoint_config


@pytest.fixture
def checkpoint(tmp_path: Path, outside: Path) -> Path:
    """A directory that looks like a model."""
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / "config.json").write_text('{"model_type": "llama"}')
    (directory / "tokenizer.json").write_text("{}")
    return directory


def card(checkpoint: Path, **fields: Any) -> None:
    (checkpoint / "mmst.json").write_text(json.dumps({"style": "tuned", "methods": ["cot"], **fields}))


TAKEOVERS: dict[str, dict[str, Any]] = {
    "Ray": {"cluster": {"address": "ray://evil.example.com:10001"}},
    "the sandbox": {"sandbox": {"allow_weak": True, "memory_bytes": 2**40}},
    "the engine": {"engine": {"replicas": 1000}},
    "the model": {"model": {"path": "/etc"}},
    "the problems": {"problems": {"train": "/etc/passwd"}},
    "the teacher": {"teacher": {"endpoint": {"url": "https://evil.example.com", "model": "m", "key_env": "SECRET"}}},
    "the name": {"name": "x"},
    "the trackers": {"tracking": ["wandb"]},
}


@pytest.mark.parametrize("what", TAKEOVERS)
def test_a_checkpoint_cannot_choose(checkpoint: Path, what: str) -> None:
    card(checkpoint, settings=TAKEOVERS[what])
    try:
        config = checkpoint_config(str(checkpoint), "p.jsonl", (), ())
    except InputError as error:
        assert "mmst.json" in str(error)
        return
    plain = checkpoint.parent / "plain"
    checkpoint.rename(plain)
    card(plain)
    expected = checkpoint_config(str(plain), "p.jsonl", (), ())
    assert config.model_dump() | {"model": 0} == expected.model_dump() | {"model": 0}


CARDS: dict[str, bytes] = {
    "empty": b"",
    "not UTF-8": b"\xff",
    "nested 10,000 deep": b"[" * 10_000,
    "a list": b"[]",
    "no style": b"{}",
    "a number as style": b'{"style": 3}',
    "a list as style": b'{"style": ["tuned"]}',
    "an unknown style": b'{"style": "haiku"}',
    "instructions as a list": b'{"style": "tuned", "instructions": [1]}',
    "a number as an instruction": b'{"style": "tuned", "instructions": {"cot": 3}}',
    "a long instruction": b'{"style": "tuned", "instructions": {"cot": "' + b"x" * 3_000_000 + b'"}}',
    "methods as a text": b'{"style": "tuned", "methods": "cot"}',
    "a number as a method": b'{"style": "tuned", "methods": [3]}',
    "an unknown method": b'{"style": "tuned", "methods": ["\\u001b[31m"]}',
    "settings as a list": b'{"style": "tuned", "settings": [1]}',
    "wrong settings": b'{"style": "tuned", "settings": {"socratic": {"models": 3}}}',
    "roles as a list": b'{"style": "tuned", "roles": [1]}',
    "a number as a role": b'{"style": "tuned", "roles": {"decomposer": 3}}',
    "a role outside": b'{"style": "tuned", "roles": {"decomposer": "../../outside"}}',
    "an absolute role": b'{"style": "tuned", "roles": {"decomposer": "/etc"}}',
    "17 megabytes": b'{"style": "tuned", "x": "' + b"x" * 17_000_000 + b'"}',
}


@pytest.mark.parametrize("name", CARDS)
def test_a_bad_card_is_refused_before_anything_starts(
    mmst: Commands, checkpoint: Path, tmp_path: Path, name: str
) -> None:
    (checkpoint / "mmst.json").write_bytes(CARDS[name])
    (tmp_path / "p.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    assert mmst.refused("evaluate", checkpoint, "--problems", tmp_path / "p.jsonl")
    assert mmst.refused("solve", "1 + 1?", "--model", checkpoint)


def test_a_card_that_is_a_pipe_makes_nothing_wait(mmst: Commands, checkpoint: Path) -> None:
    fifo(checkpoint / "mmst.json")
    assert "mmst.json" in mmst.refused("solve", "1 + 1?", "--model", checkpoint)


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"[]", b'{"accuracy": 3}', b'{"accuracy": {"cot": "x"}}', b'{"accuracy": {"cot": NaN}}']
)
def test_bad_accuracies_are_refused(checkpoint: Path, text: bytes) -> None:
    (checkpoint / "held_out.json").write_bytes(text)
    with pytest.raises(InputError, match="held_out"):
        held_out_accuracy(checkpoint)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_a_checkpoint_never_runs(checkpoint: Path, tmp_path: Path, file: str) -> None:
    """Neither is it run, nor does anything ask whether it may be."""
    tree = {"auto_map": dict.fromkeys(("AutoConfig", "AutoModelForCausalLM"), "evil.Evil"), "model_type": "evil"}
    tree["auto_map"]["AutoTokenizer"] = ["evil.Evil", "evil.Evil"]
    (checkpoint / file).write_text(json.dumps(tree))
    (checkpoint / "evil.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')\n")
    from mmst.training.encode import load_tokenizer

    with pytest.raises((InputError, ValueError, OSError, KeyError)):
        load_tokenizer(checkpoint)
    with pytest.raises((InputError, ValueError, OSError, KeyError)):
        prompt_format_of(checkpoint)
    assert not (tmp_path / "pwned").exists()


def test_every_loader_refuses_code_of_checkpoints() -> None:
    """Each call of transformers says so itself, by the one setting."""
    import ast

    import mmst

    root = Path(mmst.__file__).parent
    calls = 0
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "from_pretrained"
            ):
                if isinstance(node.func.value, ast.Name) and node.func.value.id == "GenerationConfig":
                    continue
                calls += 1
                named = {keyword.arg for keyword in node.keywords}
                assert "trust_remote_code" in named or None in named, f"{file}:{node.lineno}"
    assert calls


def test_saves_of_a_foreign_training_are_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay only where the identity beside them is keyed with the secret of this user."""
    from mmst.training.job import _prepare

    task = SimpleNamespace(storage=str(tmp_path / "training"), start="model", data=tmp_path / "training" / "data.npz")
    save = tmp_path / "training" / "steps" / "state.pt"
    encoded = SimpleNamespace(tokens=np.zeros(3), starts=np.zeros(2), prompts=np.zeros(1))

    def start(cache: str) -> bool:
        monkeypatch.setenv("MMST_CACHE", str(tmp_path / cache))
        _prepare(task, encoded, np.zeros(2), 1)
        return save.exists()

    start("theirs")
    save.parent.mkdir()
    save.write_bytes(pickle.dumps({"step": 3}))
    assert start("theirs")
    assert not start("ours")
    assert (tmp_path / "ours" / "key").stat().st_mode & 0o077 == 0


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
_NAMES = ("methods", "views", "instructions", "settings", "roles", "round", "run")


@settings(max_examples=80, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=st.fixed_dictionaries({"style": st.just("tuned")}, optional=dict.fromkeys(_NAMES, _ANY)))
def test_any_card_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any]) -> None:
    directory = tmp_path_factory.getbasetemp() / "card"
    directory.mkdir(exist_ok=True)
    (directory / "mmst.json").write_text(json.dumps(tree))
    (directory / "config.json").write_text("{}")
    (directory / "tokenizer.json").write_text("{}")
    try:
        read_card(directory)
        role_of(directory, "decomposer")
        prompt_format_of(directory)
        checkpoint_config(str(directory), "p.jsonl", (), ())
    except InputError:
        pass
