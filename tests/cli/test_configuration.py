"""Starter files load, the schema accepts what the loader accepts, and every field is explained."""

import json
from pathlib import Path

import pytest
import typer
import yaml

from mmst.cli import app
from mmst.config.explain import _paths, explain, schema
from mmst.config.file import load_config
from mmst.methods import METHODS

CONFIGS = Path(__file__).parents[2] / "configs"
KINDS = ("tiny", "data", "gpu", "cluster")


def commands(group, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command of the command line, by its words."""
    found = []
    for name, command in group.commands.items():
        found += commands(command, (*prefix, name)) if hasattr(command, "commands") else [(*prefix, name)]
    return found


@pytest.mark.parametrize("words", commands(typer.main.get_command(app)), ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(mmst, words) -> None:
    result = mmst(*words, "--help")
    assert result.code == 0
    assert f"Example: mmst {' '.join(words)}" in " ".join(result.out.split())


@pytest.mark.parametrize("kind", KINDS)
def test_a_starter_configuration_is_commented_and_loads(mmst, tmp_path, kind) -> None:
    file = tmp_path / "new.yaml"
    assert mmst("init", "--kind", kind, file).code == 0
    assert sum("# " in line for line in file.read_text().splitlines()) >= 5
    load_config(file)


def test_init_overwrites_nothing(mmst, tmp_path) -> None:
    (tmp_path / "new.yaml").write_text("mine")
    result = mmst("init", tmp_path / "new.yaml")
    assert result.code == 2
    assert "already exists" in result.err
    assert (tmp_path / "new.yaml").read_text() == "mine"


def test_the_schema_accepts_what_loads_and_refuses_what_does_not(mmst, tmp_path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema comes with Ray")
    printed = json.loads(mmst("config", "schema").out)
    check = jsonschema.Draft202012Validator(printed)
    check.check_schema(printed)
    for kind in KINDS:
        mmst("init", "--kind", kind, tmp_path / f"{kind}.yaml")
    for file in [*CONFIGS.glob("*.yaml"), *tmp_path.glob("*.yaml")]:
        tree = json.loads(json.dumps(yaml.safe_load(file.read_text())))
        assert list(check.iter_errors(tree)) == []
        assert list(check.iter_errors({**tree, "filtre": {}}))
        assert list(check.iter_errors({**tree, "methods": ["haiku"]}))


def test_every_field_is_explained() -> None:
    tree = schema(METHODS)
    paths = list(_paths(tree, tree, ""))
    assert len(paths) > 100
    for path in paths:
        found = explain(path, tree)
        assert found.text, path
        assert found.inside or found.valid, path


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        (
            "filter.label",
            ["one of gold, agreement, gold_or_agreement", '(default "gold")', "Label problems by reference answers"],
        ),
        ("sampling.top_p", ["number above 0 and at most 1", "(default 1.0)"]),
        ("methods", ["list of one of cot, pot", "not empty"]),
        ("training.lora", ["section, or null", "training.lora.rank"]),
        ("training.mixture.pot", ["number at least 0", "share of the examples"]),
        ("round0.tasks.pot.limit", ["whole number at least 0, or null"]),
    ],
)
def test_a_field_is_explained_by_type_default_text_and_valid_values(mmst, field, parts) -> None:
    out = mmst("config", "explain", field).out
    assert out.startswith(f"{field}: ")
    for part in parts:
        assert part in out


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("sampling.temprature", "did you mean `sampling.temperature`?"),
        ("temperature", "there is `sampling.temperature` and `translate.temperature`"),
        ("topp", "did you mean `sampling.top_p`?"),
        ("seed.x", "did you mean"),
    ],
)
def test_an_unknown_field_names_the_nearest(mmst, field, part) -> None:
    result = mmst("config", "explain", field)
    assert result.code == 2
    assert part in result.err
