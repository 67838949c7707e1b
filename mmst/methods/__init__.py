"""The methods, by name. Adding one: a file with a class, and its line here (or `register` from elsewhere)."""

from collections.abc import Sequence

from mmst.errors import InputError
from mmst.methods.base import Method
from mmst.methods.cot import ChainOfThought
from mmst.methods.eot import EquationOfThought
from mmst.methods.pot import ProgramOfThought
from mmst.methods.prefix import PrefixTree

METHODS: dict[str, Method] = {}


def register(method: Method) -> Method:
    """Make a method known by its name, also to `config.methods`."""
    METHODS[method.name] = method
    return method


for _method in (ChainOfThought(), ProgramOfThought(), EquationOfThought(), PrefixTree()):
    register(_method)


def methods_named(names: list[str]) -> list[Method]:
    """The methods of these names, in this order. Raises InputError for a name that is not registered or given twice."""
    for name in names:
        if name not in METHODS:
            raise InputError(f"methods: there is no method `{name}`; there are {', '.join(sorted(METHODS))}")
    if len(set(names)) != len(names):
        raise InputError(f"methods: named twice in {names}")
    return [METHODS[name] for name in names]


def method_and_view(name: str) -> tuple[Method, str] | None:
    """The method of this name with its view, or the method that a view of this name shows; none where there is none."""
    if name in METHODS:
        return METHODS[name], METHODS[name].view
    return next(((m, name) for m in METHODS.values() if name == m.view or name in m.other_views), None)


def cascade_order(methods: Sequence[Method], named: Sequence[str] = ()) -> list[str]:
    """The names of methods in the order of a cascade: as named, else those that are executed before the others."""
    return list(named) or [m.name for m in sorted(methods, key=lambda method: not method.executed)]
