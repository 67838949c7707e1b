"""A bad configuration is refused in one line per fault, whatever it holds, and nothing is left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import Commands
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmst.config.file import load_config
from mmst.errors import InputError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)

TEXTS: dict[str, bytes] = {
    "not UTF-8": b"name: \xff\xfe\x00",
    "UTF-16": "name: x".encode("utf-16"),
    "null bytes": b"name: a\x00b",
    "nested 10,000 deep": b"name: " + b"[" * 10_000,
    "mappings 10,000 deep": b"{a: " * 10_000,
    "indented 3,000 deep": "".join(" " * n + "a:\n" for n in range(3_000)).encode(),
    "recursive anchor": b"problems: &a\n  train: x\n  fields: *a\n",
    "recursive list": b"methods: &a [*a]\nproblems: {train: x.jsonl}\n",
    "anchor bomb": BOMB.encode() + b"name: *a11\nproblems: *a11\n",
    "anchor bomb in a known key": BOMB.encode() + b"problems: {train: *a11}\n",
    "duplicate key": b"seed: 1\nseed: 2\nproblems: {train: x.jsonl}\n",
    "duplicate nested key": b"problems: {train: x.jsonl, train: y.jsonl}\n",
    "a list": b"- 1\n- 2\n",
    "a number": b"3\n",
    "a Python object": b"name: !!python/object/apply:os.system ['touch pwned']\n",
    "an unknown tag": b"name: !Foo bar\n",
    "unhashable key": b"? [1, 2]\n: 3\n",
    "number as a key": b"1: 2\nproblems: {train: x.jsonl}\n",
    "null as a key": b"null: 2\nproblems: {train: x.jsonl}\n",
    "true as a key": b"problems: {true: x.jsonl}\n",
    "unknown key": b"problem: {train: x.jsonl}\n",
    "huge integer": b"seed: " + b"9" * 5000 + b"\nproblems: {train: x.jsonl}\n",
    "huge key": b"a" * 1_000_000 + b": 1\n",
    "a tab": b"problems:\n\ttrain: x\n",
    "escape sequences": b'"\\e[31m\\e]0;title\\a": 1\nproblems: {train: x.jsonl}\n',
    "escape sequences in a value": b'methods: ["\\e[31m\\u202e"]\nproblems: {train: x.jsonl}\n',
    "a date": b"name: 2020-01-01\nproblems: {train: x.jsonl}\n",
    "a bad date": b"name: 2020-99-99\nproblems: {train: x.jsonl}\n",
    "sexagesimal": b"seed: 190:20:30:99999999999999999999\nproblems: {train: 1:1}\n",
    "binary": b"name: !!binary /w==\nproblems: {train: x.jsonl}\n",
    "broken binary": b"name: !!binary a\nproblems: {train: x.jsonl}\n",
    "two documents": b"name: a\n---\nname: b\n",
    "empty": b"",
    "merge key of a text": b"<<: text\n",
    "broken \\u escape": b'name: "\\ud800"\nproblems: {train: "\\ud800.jsonl"}\n',
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_bad_file_is_refused(mmst: Commands, tmp_path: Path, name: str) -> None:
    config = tmp_path / "c.yaml"
    config.write_bytes(TEXTS[name])
    message = mmst.refused("run", config, "--run-dir", tmp_path / "run", faults=5)
    assert str(config) in message or "problems" in message or "methods" in message
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "pwned").exists()


SETTINGS: dict[str, str] = {
    **{f"rounds.max {value}": f"rounds.max={value}" for value in ("-1", "many", ".nan", ".inf", "1.5", "[]", "{}")},
    **{f"k {value}": f"sampling.k={value}" for value in ("0", "-1", "9" * 31, ".inf", "1e400")},
    **{f"temperature {value}": f"sampling.temperature={value}" for value in ("-1", ".nan", ".inf")},
    **{f"cpu {value}": f"sandbox.cpu_seconds={value}" for value in ("0", "-1", ".nan", ".inf")},
    **{f"wall {value}": f"sandbox.wall_seconds={value}" for value in ("0", "-1", ".nan", ".inf")},
    **{f"memory {value}": f"sandbox.memory_bytes={value}" for value in ("0", "-1", "1.5")},
    **{f"learning rate {value}": f"training.learning_rate={value}" for value in ("-1", ".nan", ".inf", "x")},
    "betas out of range": "training.betas=[2, 3]",
    "three betas": "training.betas=[0.9, 0.9, 0.9]",
    "batch": "training.batch=0",
    "name with a slash": "name=../../x",
    "name with an escape": 'name="\\e[31m"',
    "long name": f"name={'x' * 5000}",
    "unknown method": "methods=[haiku]",
    "the same method twice": "methods=[cot, cot]",
    "unknown task": "round0.tasks={haiku: {}}",
    "unknown mixture": "training.mixture={haiku: 1}",
    "gold without answers": "filter.label=gold",
    "long solutions": "sampling.max_tokens=100000",
    "long evaluation": "evaluation.max_tokens=100000",
    "float16 on CPU": "engine.dtype=float16",
    "min over max replicas": "engine={replicas: null, min_replicas: 5, max_replicas: 2}",
    "views that nobody has": "round0.views=[haiku]",
    "dev beside synthetic": "problems={synthetic: {}, dev: x.jsonl}",
    "no equals sign": "rounds.max",
    "below a value": "seed.x=1",
    "nested deep": "seed=" + "[" * 5000,
    "duplicate keys": "rounds={max: 1, max: 2}",
    "a million characters": f"seed={'9' * 1_000_000}",
    "a missing model": "model.path=./nope",
    "a key over http": "teacher={endpoint: {url: 'http://example.com/v1', model: m, key_env: SOME_KEY}}",
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose problems have no answers and no views."""
    directory = tmp_path_factory.mktemp("good")
    rows = "".join(f'{{"id": "{n}", "question": "{n} + 1?"}}\n' for n in range(40))
    (directory / "p.jsonl").write_text(rows)
    config = directory / "c.yaml"
    label = {"label": "agreement"}
    tree = {"problems": {"train": str(directory / "p.jsonl")}, "filter": label, "round0": {"enabled": False}}
    (directory / "model").mkdir()
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4}
    sizes |= {"intermediate_size": 128, "vocab_size": 1000, "max_position_embeddings": 512}
    (directory / "model" / "config.json").write_text(json.dumps({"model_type": "llama", **sizes}))
    (directory / "model" / "tokenizer.json").write_text("{}")
    config.write_text(yaml.safe_dump(tree | {"model": {"path": str(directory / "model")}}))
    return config


def test_the_configuration_below_is_good(mmst: Commands, good: Path, tmp_path: Path) -> None:
    assert mmst("run", good, "--run-dir", tmp_path / "run", "--dry-run").code == 0


@pytest.mark.parametrize("name", SETTINGS)
def test_a_bad_setting_is_refused_by_a_dry_run(mmst: Commands, good: Path, tmp_path: Path, name: str) -> None:
    setting = SETTINGS[name]
    more = ["--set", "round0.enabled=true"] if setting.startswith("round0") else []
    words = ["run", good, "--run-dir", tmp_path / "run", "--dry-run", *more, "--set", setting]
    assert mmst.refused(*words, faults=5, SOME_KEY="k" * 20)
    assert not (tmp_path / "run").exists()


def test_a_round_zero_without_views_is_refused_by_a_dry_run(mmst: Commands, good: Path, tmp_path: Path) -> None:
    words = ["--set", "model.path=null", "--set", "round0.enabled=true", "--run-dir", tmp_path / "run"]
    assert "view" in mmst.refused("run", good, "--dry-run", *words)


def test_a_fork_to_nowhere_is_refused_by_a_dry_run(mmst: Commands, good: Path, tmp_path: Path) -> None:
    place = ["--run-dir", tmp_path / "run", "--dry-run"]
    assert "nowhere" in mmst.refused("run", good, "--fork", tmp_path / "nowhere", *place)
    assert "--fork" in mmst.refused("run", good, "--from-round", 1, *place)


@pytest.mark.parametrize("kind", ["missing", "directory", "device", "loop"])
def test_what_is_no_file_is_refused(mmst: Commands, tmp_path: Path, kind: str) -> None:
    config = tmp_path / "c.yaml"
    if kind == "directory":
        config.mkdir()
    elif kind == "device":
        config.symlink_to("/dev/zero")
    elif kind == "loop":
        config.symlink_to(config)
    assert str(config) in mmst.refused("run", config)


@pytest.mark.parametrize("base", ["3", "[1]", "nowhere.yaml", "{problems: 3}", ".", '"\\0"', "/dev/zero"])
def test_a_bad_experiment_is_refused(mmst: Commands, tmp_path: Path, base: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(f"base: {base}\nseeds: [0]\ncontrol: a\narms: {{a: {{}}}}\n")
    assert mmst.refused("experiment", file, "--out-dir", tmp_path / "out")


@pytest.mark.parametrize("scale", ["nan", "inf", "-1", "0", "1e400"])
def test_a_bad_scale_is_refused(mmst: Commands, tmp_path: Path, scale: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text("base: {problems: {train: x.jsonl}}\nscaled: [seed]\nseeds: [0]\ncontrol: a\narms: {a: {}}\n")
    assert mmst.refused("experiment", file, "--scale", scale)


def test_a_start_that_failed_does_not_block_the_corrected_one(mmst: Commands, good: Path, tmp_path: Path) -> None:
    """Both fail here, the second one for what the corrected configuration lacks: not for what the first one left."""
    root = tmp_path / "run"
    mmst.refused("run", good, "--run-dir", root, "--set", "training.mixture={haiku: 1}")
    assert not root.exists()
    assert "other settings" not in mmst.refused("run", good, "--run-dir", root, "--set", "methods=[haiku]")


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from(
    ["name", "seed", "methods", "problems", "model", "rounds", "sampling", "filter", "training", "engine", "teacher"]
) | st.text(max_size=10)


@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_any_tree_is_a_configuration_or_is_refused(tree: dict[str, Any]) -> None:
    try:
        load_config(tree)
    except InputError as error:
        assert len(str(error)) < 20_000


@settings(max_examples=80, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=60) | st.text(alphabet="a:-[]{}&*!?|>%@`'\"#\n <,1", max_size=60).map(str.encode))
def test_any_bytes_are_a_configuration_or_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        load_config(path)
    except InputError as error:
        assert str(path) in str(error)
