"""The methods, by name. Adding one: a file with a class, and its line here (or `register` from elsewhere)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mmst.errors import InputError
from mmst.methods.cot import ChainOfThought
from mmst.methods.eot import EquationOfThought
from mmst.methods.method import Method
from mmst.methods.pot import ProgramOfThought
from mmst.methods.prefix import PrefixTree
from mmst.methods.socratic import Socratic

if TYPE_CHECKING:
    from mmst.config import Config

METHODS: dict[str, Method] = {}


def register(method: Method) -> Method:
    """Register a method under its name, also for `config.methods`."""
    METHODS[method.name] = method
    return method


for _method in (ChainOfThought(), ProgramOfThought(), EquationOfThought(), PrefixTree(), Socratic()):
    register(_method)


def methods_named(names: list[str]) -> list[Method]:
    """The methods of these names, in this order. Raises InputError for an unregistered name or a repeated one."""
    for name in names:
        if name not in METHODS:
            raise InputError(f"methods: there is no method `{name}`; there are {', '.join(sorted(METHODS))}")
    if len(set(names)) != len(names):
        raise InputError(f"methods: named twice in {names}")
    return [METHODS[name] for name in names]


def methods_of(config: Config) -> list[Method]:
    """The methods of a run, with its settings. Raises InputError as `methods_named`."""
    return [method.configured(config) for method in methods_named(config.methods)]


def method_and_view(name: str, methods: Mapping[str, Method] = METHODS) -> tuple[Method, str] | None:
    """The method of this name and its view, or the method that the view of this name shows; None if neither exists."""
    if name in methods:
        return methods[name], methods[name].view
    return next(((m, name) for m in methods.values() if name == m.view or name in m.other_views), None)


def cascade_order(methods: Sequence[Method], named: Sequence[str] = ()) -> list[str]:
    """Method names in the order of a cascade: `named`, or else executed methods before the others."""
    return list(named) or [m.name for m in sorted(methods, key=lambda method: not method.executed)]
