"""Documentation of configuration fields, taken from the JSON Schema of the configuration."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmst.config import Config
from mmst.errors import InputError

Node = Mapping[str, Any]
_KINDS = {
    "anything": "anything",
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
}
_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}


@dataclass(frozen=True)
class Field:
    """A field: its dotted path, its valid values in words, its default as YAML (None if it is required), its text, and
    for a section the paths of its fields."""

    path: str
    valid: str
    default: str | None
    text: str
    inside: tuple[str, ...] = ()


def schema(methods: Iterable[str] = ()) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a configuration file, for editors; `methods` are the valid method names."""
    tree = Config.model_json_schema()
    if names := list(methods):
        tree["properties"]["methods"]["items"]["enum"] = names
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **tree, "title": "mmst configuration"}


def explain(path: str, tree: Node | None = None) -> Field:
    """A field by its dotted path, such as `sampling.k`; the empty path is the whole configuration.

    `tree` is the schema, to compute it once for several calls. Raises InputError for an unknown path; the message names
    the nearest known one, or all that end in it.
    """
    node = tree = tree or schema()
    for name in path.split(".") if path else []:
        within = _resolved(_section(node), tree)
        if name in within.get("properties", {}):
            node = within["properties"][name]
        elif extra := within.get("additionalProperties"):
            node = {"description": node.get("description", ""), **(extra if isinstance(extra, dict) else {})}
        else:
            raise InputError(f"`{path}` is not a field of the configuration; {_meant(path, tree)}")
    section = _resolved(_section(node), tree)
    names = tuple(f"{path}.{name}".lstrip(".") for name in section.get("properties", {}))
    default = None if "default" not in node or names else json.dumps(node["default"], ensure_ascii=False)
    text = node.get("description") or section.get("description", "")
    return Field(path, _words(node, tree), default, " ".join(text.split()), names)


def _meant(path: str, tree: Node) -> str:
    known = list(_paths(tree, tree, ""))
    leaf = path.rpartition(".")[2]
    if same := [p for p in known if p.rpartition(".")[2] == leaf]:
        return f"there is {' and '.join(f'`{p}`' for p in same)}"
    if near := difflib.get_close_matches(path, known, n=1, cutoff=0.7):
        return f"did you mean `{near[0]}`?"
    leaves = {p.rpartition(".")[2]: p for p in known}
    return f"did you mean `{leaves[difflib.get_close_matches(leaf, leaves, n=1, cutoff=0.0)[0]]}`?"


def _paths(node: Node, tree: Node, prefix: str) -> Iterator[str]:
    for name, child in _resolved(_section(node), tree).get("properties", {}).items():
        yield prefix + name
        yield from _paths(child, tree, f"{prefix}{name}.")


def _section(node: Node) -> Node:
    """The alternative of a node that is a section or a mapping; otherwise the node itself."""
    return next((n for n in node.get("anyOf", ()) if "$ref" in n or "additionalProperties" in n), node)


def _resolved(node: Node, tree: Node) -> Node:
    return tree["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def _words(node: Node, tree: Node) -> str:
    """The valid values, in words."""
    if "anyOf" in node:
        return ", or ".join(_words(alternative, tree) for alternative in node["anyOf"])
    if "const" in node:
        return str(node["const"])
    if "enum" in node:
        return f"one of {', '.join(map(str, node['enum']))}"
    kind = node.get("type", "anything")
    if "$ref" in node or "properties" in node:
        return "section"
    if kind == "array" and "prefixItems" in node:
        return f"[{', '.join(_words(item, tree) for item in node['prefixItems'])}]"
    if kind == "array":
        return f"list of {_words(node['items'], tree)}" + (", not empty" if node.get("minItems") else "")
    if kind == "object":
        extra = node["additionalProperties"]
        return f"name: {_words(extra if isinstance(extra, dict) else {}, tree)}"
    limits = [f"{word} {node[key]:g}" for key, word in _LIMITS.items() if key in node]
    if "pattern" in node:
        limits.append(f"matching {node['pattern']}")
    return f"{_KINDS.get(str(kind), 'null')} {' and '.join(limits)}".rstrip()
