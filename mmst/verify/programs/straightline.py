"""Straight-line arithmetic without a process: the programs that most word problems get, run over their parsed tree.

Assignments, numbers and strings, arithmetic, comparisons, `if`, `print`, f-strings, a dozen builtins, the `math`
module, functions without loops. Every operation is CPython's own on CPython's own objects, so a result that is
given is CPython's; anything else, and everything that raises, is left to CPython itself on the forked path. What
a program can do here is bounded by its length: no loops, few calls, short integers, strings and flat lists. It
reaches nothing but its own values, and runs in the caller's process.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from mmst.verify.programs.answer import computed, only_defines_solution
from mmst.verify.programs.bounded import (
    BUILTINS,
    COMPARISONS,
    MATH_FUNCTIONS,
    MATH_VALUES,
    NUMBERS,
    SCALARS,
    SEQUENCES,
    Leave,
    Value,
    arithmetic,
    checked,
    formatted,
)
from mmst.verify.programs.screening import compiles_silently, readable

_MOST_CALLS = 100  # of functions, the program's own and others
_MOST_DEPTH = 16
_MOST_ITEMS = 50
_MATH = object()  # the module


class _Function:
    __slots__ = ("body", "called", "defaults", "local", "parameters")

    def __init__(self, node: ast.FunctionDef, defaults: list[Value]) -> None:
        self.parameters = [parameter.arg for parameter in node.args.args]
        self.defaults, self.body, self.called = defaults, node.body, False
        self.local = set(self.parameters)
        if len(self.local) < len(self.parameters):
            raise Leave
        _add_assigned(node.body, self.local)


def _add_assigned(body: list[ast.stmt], names: set[str]) -> None:
    """Add the names that a function's statements bind, which makes them local throughout."""
    for statement in body:
        match statement:
            case ast.Assign(targets=targets):
                for target in targets:
                    names.update(name.id for name in _names(target))
            case ast.AugAssign(target=ast.Name(id=name)) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.If(body=taken, orelse=other):
                _add_assigned(taken, names)
                _add_assigned(other, names)
            case ast.Expr() | ast.Return() | ast.Pass():
                pass
            case _:
                raise Leave


def _names(target: ast.expr) -> list[ast.Name]:
    parts = target.elts if type(target) is ast.Tuple else [target]
    if not all(type(part) is ast.Name for part in parts):
        raise Leave
    return parts  # type: ignore[return-value]


_MATH = object()  # the module


class _Run:
    """One program being run. `skipped` is whether something was passed over that CPython would still compile."""

    def __init__(self, trace: list[tuple[int, str, str]] | None = None) -> None:
        self.variables: dict[str, Value] = {"__name__": "__main__"}
        self.local: dict[str, Value] | None = None  # the running function's, with the names that belong there
        self.local_names: set[str] = set()
        self.out: list[str] = []
        self.functions: list[_Function] = []
        self.calls = self.depth = 0
        self.skipped = False
        self.trace = trace

    # Statements: nothing, or a tuple holding what is returned.

    def block(self, body: list[ast.stmt]) -> tuple[Value] | None:
        for statement in body:
            returned = _STATEMENTS[type(statement)](self, statement)
            if returned is not None:
                self.skipped |= statement is not body[-1]
                return returned
        return None

    def assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            if type(target) is ast.Name:
                self.bind(target, value)
                continue
            names = _names(target)
            if type(value) not in SEQUENCES or len(names) != len(value):
                raise Leave
            for name, part in zip(names, value, strict=True):
                self.bind(name, part)

    def bind(self, target: ast.Name, value: Value) -> None:
        (self.variables if self.local is None else self.local)[target.id] = value
        if self.trace is not None:
            self.trace.append((target.lineno, target.id, str(value)))

    def augment(self, node: ast.AugAssign) -> None:
        target = node.target
        if type(target) is not ast.Name:
            raise Leave
        self.bind(target, arithmetic(node.op, self.name(target), self.value(node.value)))

    def annotated(self, node: ast.AnnAssign) -> None:
        if type(node.target) is not ast.Name or node.value is None or not node.simple:
            raise Leave
        value = self.value(node.value)  # before the annotation, which CPython evaluates last
        self.annotation(node.annotation)
        self.bind(node.target, value)

    def annotation(self, node: ast.expr | None) -> None:
        plain = node is None or (type(node) is ast.Name and node.id in ("int", "float", "str", "bool"))
        if not plain or (node is not None and node.id in self.variables):  # type: ignore[attr-defined]
            raise Leave

    def expression(self, node: ast.Expr) -> None:
        if type(node.value) is ast.Constant:  # a docstring
            return
        before = len(self.out)
        value = self.value(node.value)
        if self.trace is not None:
            printed = "".join(self.out[before:]).removesuffix("\n")
            self.trace.append((node.lineno, ast.unparse(node.value), printed or str(value)))

    def define(self, node: ast.FunctionDef) -> None:
        given = node.args
        if node.decorator_list or given.posonlyargs or given.vararg or given.kwonlyargs or given.kwarg:
            raise Leave
        for parameter in given.args:
            self.annotation(parameter.annotation)
        self.annotation(node.returns)
        function = _Function(node, [self.value(default) for default in given.defaults])
        self.functions.append(function)
        self.variables[node.name] = function

    def returns(self, node: ast.Return) -> tuple[Value]:
        if self.local is None:
            raise Leave
        value = None if node.value is None else self.value(node.value)
        if self.trace is not None and node.value is not None:
            self.trace.append((node.lineno, ast.unparse(node.value), str(value)))
        return (value,)

    def branch(self, node: ast.If) -> tuple[Value] | None:
        self.skipped = True
        return self.block(node.body if self.value(node.test) else node.orelse)

    def imports(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name != "math" or self.local is not None:
                raise Leave
            self.variables[alias.asname or "math"] = _MATH

    def imports_from(self, node: ast.ImportFrom) -> None:
        if node.module != "math" or node.level or self.local is not None:
            raise Leave
        for alias in node.names:
            known = MATH_VALUES if alias.name in MATH_VALUES else MATH_FUNCTIONS
            self.variables[alias.asname or alias.name] = known[alias.name]

    # Expressions: their value.

    def value(self, node: ast.expr) -> Value:
        return _EXPRESSIONS[type(node)](self, node)

    def name(self, node: ast.Name) -> Value:
        value = self.local[node.id] if node.id in self.local_names else self.variables[node.id]  # type: ignore[index]
        if type(value) not in SCALARS and type(value) not in SEQUENCES:  # functions are not passed around here
            raise Leave
        return value

    def constant(self, node: ast.Constant) -> Value:
        if type(node.value) not in SCALARS:
            raise Leave
        return checked(node.value)

    def binary(self, node: ast.BinOp) -> Value:
        return arithmetic(node.op, self.value(node.left), self.value(node.right))

    def unary(self, node: ast.UnaryOp) -> Value:
        value = self.value(node.operand)
        if type(node.op) is ast.Not:
            return not value
        if type(value) not in NUMBERS or type(node.op) is ast.Invert:
            raise Leave
        return -value if type(node.op) is ast.USub else +value

    def compare(self, node: ast.Compare) -> Value:
        self.skipped |= len(node.ops) > 1
        left = self.value(node.left)
        result = True
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            result = COMPARISONS[type(op)](left, right)
            if not result:
                break
            left = right
        return result

    def boolean(self, node: ast.BoolOp) -> Value:
        self.skipped = True
        wanted = type(node.op) is ast.Or
        for operand in node.values:
            value = self.value(operand)
            if bool(value) is wanted:
                break
        return value

    def choice(self, node: ast.IfExp) -> Value:
        self.skipped = True
        return self.value(node.body if self.value(node.test) else node.orelse)

    def sequence(self, node: ast.List | ast.Tuple) -> Value:
        values = [self.value(part) for part in node.elts]
        if len(values) > _MOST_ITEMS or not all(
            type(value) in SCALARS for value in values
        ):  # flat: shared inner lists print exponentially
            raise Leave
        return values if type(node) is ast.List else tuple(values)

    def item(self, node: ast.Subscript) -> Value:
        group = self.value(node.value)
        index = self.value(node.slice)
        if type(node.value) is not ast.Name or type(group) not in SEQUENCES or type(index) is not int:
            raise Leave
        return group[index]

    def attribute(self, node: ast.Attribute) -> Value:
        if not self.is_math(node.value):
            raise Leave
        return MATH_VALUES[node.attr]

    def is_math(self, node: ast.expr) -> bool:
        return type(node) is ast.Name and node.id not in self.local_names and self.variables.get(node.id) is _MATH

    def text(self, node: ast.JoinedStr) -> str:
        text = "".join(
            self.formatted(part) if type(part) is ast.FormattedValue else self.constant(part)  # type: ignore[arg-type]
            for part in node.values
        )
        return checked(text)

    def formatted(self, node: ast.FormattedValue) -> str:
        match node.format_spec:
            case None:
                spec = ""
            case ast.JoinedStr(values=[ast.Constant(value=str(spec))]):
                pass
            case _:
                raise Leave
        return formatted(self.value(node.value), node.conversion, spec)

    def call(self, node: ast.Call) -> Value:
        if type(node.func) is ast.Attribute and self.is_math(node.func.value):
            return self.native(MATH_FUNCTIONS[node.func.attr], node)
        if type(node.func) is not ast.Name or node.func.id in self.local_names:
            raise Leave
        function: Value = self.variables.get(node.func.id)
        if type(function) is _Function:
            given = [self.value(argument) for argument in node.args]
            return self.invoke(function, given, self.keywords(node))
        if node.func.id not in self.variables:
            function = self.print if node.func.id == "print" else BUILTINS[node.func.id]
        return self.native(function, node)  # raises for a number that is called, as CPython does

    def keywords(self, node: ast.Call) -> dict[str, Value]:
        named = {keyword.arg or "": self.value(keyword.value) for keyword in node.keywords}
        if len(named) < len(node.keywords) or "" in named:
            raise Leave
        return named

    def count_call(self) -> None:
        self.calls += 1
        if self.calls > _MOST_CALLS:
            raise Leave

    def native(self, function: Callable[..., Value], node: ast.Call) -> Value:
        self.count_call()
        arguments = [self.value(argument) for argument in node.args]
        if not node.keywords:
            result = function(*arguments)
        elif function == self.print:
            result = function(*arguments, **self.keywords(node))
        else:
            raise Leave
        return checked(result)

    def print(self, *values: Value, sep: str = " ", end: str = "\n") -> None:
        if type(sep) is not str or type(end) is not str:
            raise Leave
        self.out.append(sep.join(map(str, values)) + end)

    def invoke(self, function: _Function, given: list[Value], named: dict[str, Value]) -> Value:
        self.count_call()
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise Leave
        parameters, defaults = function.parameters, function.defaults
        local = dict(zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True))
        by_position = dict(zip(parameters[: len(given)], given, strict=True))
        if by_position.keys() & named.keys() or not named.keys() <= set(parameters):
            raise Leave
        local |= by_position | named
        if len(local) < len(parameters):
            raise Leave
        outer = self.local, self.local_names
        self.local, self.local_names, function.called = local, function.local, True
        returned = self.block(function.body)
        self.local, self.local_names = outer
        self.depth -= 1
        return returned[0] if returned else None


_STATEMENTS: dict[type, Callable[[_Run, Any], tuple[Value] | None]] = {
    ast.Assign: _Run.assign, ast.AugAssign: _Run.augment, ast.AnnAssign: _Run.annotated, ast.Expr: _Run.expression,
    ast.FunctionDef: _Run.define, ast.Return: _Run.returns, ast.If: _Run.branch, ast.Import: _Run.imports,
    ast.ImportFrom: _Run.imports_from, ast.Pass: lambda run, node: None,
}  # fmt: skip
_EXPRESSIONS: dict[type, Callable[[_Run, Any], Value]] = {
    ast.Name: _Run.name, ast.Constant: _Run.constant, ast.BinOp: _Run.binary, ast.UnaryOp: _Run.unary,
    ast.Compare: _Run.compare, ast.BoolOp: _Run.boolean, ast.IfExp: _Run.choice, ast.List: _Run.sequence,
    ast.Tuple: _Run.sequence, ast.Subscript: _Run.item, ast.Attribute: _Run.attribute, ast.JoinedStr: _Run.text,
    ast.Call: _Run.call,
}  # fmt: skip


def run(program: str, trace: list[tuple[int, str, str]] | None = None) -> tuple[str, dict[str, Any]] | None:
    """What a straight-line program prints, and its variables at the end; None if this is for CPython to verify.

    A `solution` that the program only defines, and computes nothing without, is called, and what it returns given
    as the variable `ans`. `trace` receives (line, target or expression, value) of each line that is run.
    """
    if not readable(program):
        return None
    state = _Run(trace)
    try:
        tree = ast.parse(program)
        state.block(tree.body)
        variables, printed = state.variables, "".join(state.out)
        solution = variables.get("solution")
        lacking = not printed and computed(variables) is None
        if lacking and type(solution) is _Function and only_defines_solution(program):
            variables["ans"] = state.invoke(solution, [], {})
            printed = "".join(state.out)
        printed.encode()
        state.skipped |= not all(function.called for function in state.functions)
        if state.skipped and not compiles_silently(tree):
            return None
    except Exception:  # whatever it is, CPython raises it too on the forked path, and says so in its own words
        return None
    return printed, variables


def values_by_line(program: str) -> list[tuple[int, str, str]] | None:
    """(line number, target or expression, value) of each line that a straight-line program runs, in that order.

    None where the program is not straight-line, or would not end by itself. Bounded; safe in any process.
    """
    trace: list[tuple[int, str, str]] = []
    return None if run(program, trace) is None else trace
