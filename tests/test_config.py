"""A configuration is checked before anything starts, and says what is wrong."""

import pytest
import yaml

from mmst.config import Config
from mmst.config.file import build_config, differences, dump_config, load_config
from mmst.errors import InputError

MADE = {"problems": {"synthetic": {}}}


def fault(tree: dict) -> str:
    with pytest.raises(InputError) as error:
        build_config(tree, "a.yaml")
    return str(error.value)


def test_an_unknown_key_names_the_nearest_valid_one() -> None:
    assert "`filter.lable` is not a known key; did you mean `label`?" in fault({**MADE, "filter": {"lable": "gold"}})
    assert "did you mean `steps`?" in fault({"problems": {"synthetic": {"stepz": {1: 1}}}})


def test_a_wrong_type_names_the_field_and_what_was_found() -> None:
    message = fault({**MADE, "training": {"schedule": {"steps": "many"}}})
    assert "`training.schedule.steps`" in message
    assert "'many'" in message


@pytest.mark.parametrize(
    ("tree", "part"),
    [
        ({"sampling": {"k": 0}}, "`sampling.k`"),
        ({"methods": []}, "`methods`"),
        ({"filter": {"cap": 0}}, "`filter.cap`"),
        ({"model": {"scratch": {"width": 30, "heads": 4}}}, "must divide"),
        ({"methods": ["cot"], "filter": {"label": "agreement"}}, "only 1 methods to agree"),
        ({"engine": {"gpus": 1, "tensor_parallel": 2}}, "tensor_parallel is 2, but a replica has gpus: 1"),
    ],
)
def test_what_cannot_work_is_refused(tree: dict, part: str) -> None:
    assert part in fault({**MADE, **tree})


def test_no_problems_at_all_is_refused() -> None:
    assert "problems.train" in fault({"problems": {}})


def test_settings_win_over_the_file(tmp_path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump({**MADE, "rounds": {"max": 5}}))
    config = load_config(file, ["rounds.max=1", "methods=[cot]", "problems.synthetic.train=10"])
    assert (config.rounds.max, config.methods, config.problems.synthetic.train) == (1, ["cot"], 10)


@pytest.mark.parametrize("setting", ["rounds.max", "=3", "seed.a=1"])
def test_a_setting_that_is_none_is_refused(tmp_path, setting: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump({**MADE, "seed": 1}))
    with pytest.raises(InputError, match="--set"):
        load_config(file, [setting])


def test_a_missing_and_a_malformed_file_are_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(InputError, match=r"bad\.yaml: not valid YAML"):
        load_config(tmp_path / "bad.yaml")


def test_what_is_dumped_is_read_back_equal() -> None:
    config = build_config({**MADE, "sampling": {"per_problem": 7}})
    assert build_config(yaml.safe_load(dump_config(config))) == config


def test_samples_per_problem_are_dealt_out_over_the_methods() -> None:
    both = build_config({**MADE, "sampling": {"per_problem": 7}})
    one = build_config({**MADE, "methods": ["cot"], "sampling": {"per_problem": 7}})
    assert both.samples == {"cot": 4, "pot": 3}
    assert one.samples == {"cot": 7}


def test_where_agreement_makes_labels_each_method_is_asked_often_enough_to_contradict_itself() -> None:
    twice = {"agreement": {"methods": 1, "samples": 2}}
    few = {"sampling": {"per_problem": 3}}
    assert build_config({**MADE, **few, "filter": {"label": "agreement", **twice}}).samples == {"cot": 2, "pot": 2}
    assert build_config({**MADE, **few, "filter": {"label": "gold", **twice}}).samples == {"cot": 2, "pot": 1}


def test_every_field_is_documented() -> None:
    def undocumented(section: type, path: str) -> list[str]:
        found = []
        for name, field in section.model_fields.items():
            nested = field.annotation if isinstance(field.annotation, type) else None
            if nested is not None and hasattr(nested, "model_fields"):
                found += undocumented(nested, f"{path}{name}.")
            elif not field.description:
                found.append(path + name)
        return found

    assert undocumented(Config, "") == []


def test_differences_name_dotted_keys() -> None:
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 4}) == {"a.c": (2, 3), "d": (None, 4)}


ENDPOINT = {"url": "https://api.example.com/v1", "model": "m"}


@pytest.mark.parametrize(
    ("tree", "part"),
    [
        ({"generator": "teacher"}, "no section `teacher`"),
        ({"teacher": {}}, "exactly one of path, endpoint and views"),
        ({"teacher": {"path": "a", "views": True}}, "exactly one of path, endpoint and views"),
        ({"teacher": {"path": "a", "noise": 0.2}}, "noise corrupts the solutions of views"),
        ({"teacher": {"endpoint": {**ENDPOINT, "url": "example.com"}}}, "`teacher.endpoint.url`"),
        ({"hint": {"enabled": True}, "filter": {"label": "agreement"}}, "hint shows reference answers"),
    ],
)
def test_a_teacher_or_hint_that_cannot_be_is_refused(tree: dict, part: str) -> None:
    assert part in fault({**MADE, **tree})


@pytest.mark.parametrize(
    "endpoint",
    [
        {"key_env": "sk-secret-1"},
        {"key": "sk-secret-1"},
        {"api_key": "sk-secret-1"},
        {"url": "https://user:sk-secret-1@host/v1"},
        {"url": "https://host/v1?key=sk-secret-1"},
    ],
)
def test_a_key_in_the_wrong_place_is_refused_and_not_repeated(endpoint: dict) -> None:
    message = fault({**MADE, "teacher": {"endpoint": {**ENDPOINT, **endpoint}}})
    assert "teacher.endpoint" in message
    assert "sk-secret-1" not in message
