"""From a YAML file and `--set key=value` to a checked configuration, with errors that help."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from mmst.config import Config
from mmst.errors import InputError
from mmst.foreign import read_text

Settings = Mapping[str, Any] | Iterable[str]
"""Values by dotted key, such as {"rounds.max": 3}, or `key=YAML value` strings, such as "rounds.max=3"."""
_MOST_VALUES = 100_000


def load_config(config: str | Path | Mapping[str, Any] | Config, settings: Settings = ()) -> Config:
    """Load and check a configuration.

    Parameters
    ----------
    config
        A YAML file, a mapping of the same shape, or a Config to change.
    settings
        Values by dotted key that replace those of `config`.

    Raises
    ------
    InputError
        Unreadable file or bad value. The message names the file and the field, and for an unknown key the nearest
        valid one.

    Examples
    --------
    >>> config = load_config({"problems": {"train": "problems.jsonl"}}, {"rounds.max": 3})
    >>> config.rounds.max
    3
    """
    if isinstance(config, Config):
        return build_config(with_settings(config.model_dump(), settings)) if settings else config
    if isinstance(config, Mapping):
        return build_config(with_settings(config, settings))
    return build_config(with_settings(read_yaml(config), settings), str(config))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """A YAML file of keys and values. Raises InputError that names the file."""
    try:
        tree = _parse(read_text(path), str(path)) or {}
    except FileNotFoundError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not isinstance(tree, dict):
        raise InputError(f"{path}: expected keys and values, found {type(tree).__name__}")
    return tree


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in a section; YAML takes the last one."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, count in keys.items():
            if count > 1:
                raise yaml.MarkedYAMLError(
                    problem=f"the key `{key[:80]}` stands there twice", problem_mark=node.start_mark
                )
        return node


def _parse(text: str, source: str) -> Any:
    """YAML of plain values, of bounded size once its anchors are expanded. Raises InputError."""
    try:
        tree = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise InputError(f"{source}: not valid YAML ({' '.join(str(error).split())[:300]})") from error
    count, left = 0, [tree]
    while left:
        value = left.pop()
        left += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if isinstance(value, dict) and not all(isinstance(key, str | int) for key in value):
            raise InputError(f"{source}: keys must be text")
        if (count := count + 1) > _MOST_VALUES:
            raise InputError(f"{source}: more than {_MOST_VALUES:,} values (does an anchor contain itself?)")
    return tree


def with_settings(tree: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """A copy of the tree with the settings applied."""
    result = _copy(tree)
    pairs = settings.items() if isinstance(settings, Mapping) else map(_parse_setting, settings)
    for key, value in pairs:
        *parents, leaf = key.split(".")
        node = result
        for name in parents:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise InputError(f"--set {key}: `{name}` is a value, not a section")
        node[leaf] = _copy(value) if isinstance(value, Mapping) else value
    return result


def _parse_setting(setting: str) -> tuple[str, Any]:
    key, sign, value = setting.partition("=")
    if not sign or not key:
        raise InputError(f"--set {setting[:200]}: expected key=value, such as rounds.max=3")
    return key.strip(), _parse(value, f"--set {setting[:200]}")


def build_config(tree: Mapping[str, Any], source: str = "configuration") -> Config:
    """Check a tree of plain values. Raises InputError with every fault on its own line."""
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise InputError("\n".join(f"{source}: {_explain(fault)}" for fault in error.errors())) from error


def dump_config(config: Config) -> str:
    """The whole configuration, defaults included, as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Dotted keys whose values differ, with both values."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in [*old, *(k for k in new if k not in old)]:
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found |= differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found[f"{prefix}{key}"] = (before, after)
    return found


def _explain(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        *parents, unknown = fault["loc"]
        near = difflib.get_close_matches(str(unknown), keys := _keys_at(parents), n=1, cutoff=0.4)
        meant = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(keys)}"
        return f"`{where}` is not a known key; {meant}"
    given = "" if fault["type"] in ("missing", "value_error") else f", found {fault['input']!r}"
    message = fault["msg"].removeprefix("Value error, ")
    return f"`{where}`: {message}{given}" if where else f"{message}{given}"


def _keys_at(path: Sequence[Any]) -> list[str]:
    """Field names of the section at a path of keys."""
    section: type[BaseModel] = Config
    for name in path:
        field = section.model_fields.get(str(name))
        kinds = [] if field is None else [field.annotation, *get_args(field.annotation)]
        section = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), section)
    return list(section.model_fields)


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of the mappings, with paths as text."""
    return {
        key: _copy(value) if isinstance(value, Mapping) else str(value) if isinstance(value, Path) else value
        for key, value in tree.items()
    }
