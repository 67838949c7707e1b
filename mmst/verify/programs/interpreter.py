"""An interpreter for straight-line programs, over their syntax tree.

It evaluates assignments, numbers and strings, arithmetic, comparisons, `if`, `print`, f-strings, a dozen builtins, the
`math` module and functions without loops. Every operation is CPython's own on CPython's own objects, so the result is
CPython's; everything else, and everything that raises, is left to CPython. The program's length bounds the work: no
loops, few calls, short integers, strings and flat lists, and a limited number of characters printed or traced.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from mmst.verify.programs.bounded import (
    BUILTINS,
    COMPARISONS,
    MATH_FUNCTIONS,
    MATH_VALUES,
    NUMBERS,
    SCALARS,
    SEQUENCES,
    VALUES,
    Leave,
    Value,
    arithmetic,
    checked,
    formatted,
)
from mmst.verify.programs.screening import bound_names, target_names

Trace = list[tuple[int, str, str]]
_MOST_CALLS = 100  # of functions, the program's own and others
_MOST_DEPTH = 16
_MOST_ITEMS = 50
_MATH = object()  # the module


class Function:
    __slots__ = ("body", "called", "defaults", "local", "parameters")

    def __init__(self, node: ast.FunctionDef, defaults: list[Value]) -> None:
        self.parameters = [parameter.arg for parameter in node.args.args]
        self.defaults, self.body, self.called = defaults, node.body, False
        self.local = {*self.parameters, *bound_names(node.body)}
        if len(set(self.parameters)) < len(self.parameters):
            raise Leave


class Run:
    """One program being run. `skipped` tells whether a part was not evaluated that CPython would still compile.

    `visit_X` evaluates a node of class `ast.X`. Statements give None, or a tuple holding the value to return.
    """

    def __init__(self, trace: Trace | None, most: int) -> None:
        self.variables: dict[str, Value] = {"__name__": "__main__"}
        self.local: dict[str, Value] | None = None  # the running function's
        self.local_names: set[str] = set()
        self.out: list[str] = []
        self.functions: list[Function] = []
        self.calls = self.depth = 0
        self.skipped = False
        self.trace, self.room = trace, most

    def spend(self, characters: int) -> None:
        """Count printed or traced characters; a program with too many is left to CPython."""
        self.room -= characters
        if self.room < 0:
            raise Leave

    def record(self, trace: Trace, line: int, source: str, value: Value) -> None:
        text = str(value)
        self.spend(len(source) + len(text))
        trace.append((line, source, text))

    # Statements

    def block(self, body: list[ast.stmt]) -> tuple[Value] | None:
        for statement in body:
            returned = _VISIT[type(statement)](self, statement)
            if returned is not None:
                self.skipped |= statement is not body[-1]
                return returned
        return None

    def visit_Pass(self, node: ast.Pass) -> None:
        pass

    def visit_Assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            if type(target) is ast.Name:
                self.bind(target, value)
                continue
            names = target_names(target)
            if type(value) not in SEQUENCES or len(names) != len(value):
                raise Leave
            for name, part in zip(names, value, strict=True):
                self.bind(name, part)

    def bind(self, target: ast.Name, value: Value) -> None:
        (self.variables if self.local is None else self.local)[target.id] = value
        if self.trace is not None:
            self.record(self.trace, target.lineno, target.id, value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if type(node.target) is not ast.Name:
            raise Leave
        self.bind(node.target, arithmetic(node.op, self.value(node.target), self.value(node.value)))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if type(node.target) is not ast.Name or node.value is None or not node.simple:
            raise Leave
        value = self.value(node.value)  # before the annotation, which CPython evaluates last
        self.check_annotation(node.annotation)
        self.bind(node.target, value)

    def check_annotation(self, node: ast.expr | None) -> None:
        if node is None:
            return
        if type(node) is not ast.Name or node.id not in ("int", "float", "str", "bool") or node.id in self.variables:
            raise Leave

    def visit_Expr(self, node: ast.Expr) -> None:
        if type(node.value) is ast.Constant:  # a docstring
            return
        before = len(self.out)
        value = self.value(node.value)
        if self.trace is not None:
            printed = "".join(self.out[before:]).removesuffix("\n")
            self.record(self.trace, node.lineno, ast.unparse(node.value), printed or value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        given = node.args
        if node.decorator_list or given.posonlyargs or given.vararg or given.kwonlyargs or given.kwarg:
            raise Leave
        for annotation in [*(parameter.annotation for parameter in given.args), node.returns]:
            self.check_annotation(annotation)
        function = Function(node, [self.value(default) for default in given.defaults])
        self.functions.append(function)
        self.variables[node.name] = function

    def visit_Return(self, node: ast.Return) -> tuple[Value]:
        if self.local is None:
            raise Leave
        value = None if node.value is None else self.value(node.value)
        if self.trace is not None and node.value is not None:
            self.record(self.trace, node.lineno, ast.unparse(node.value), value)
        return (value,)

    def visit_If(self, node: ast.If) -> tuple[Value] | None:
        self.skipped = True
        return self.block(node.body if self.value(node.test) else node.orelse)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name != "math" or self.local is not None:
                raise Leave
            self.variables[alias.asname or "math"] = _MATH

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module != "math" or node.level or self.local is not None:
            raise Leave
        for alias in node.names:
            known = MATH_VALUES if alias.name in MATH_VALUES else MATH_FUNCTIONS
            self.variables[alias.asname or alias.name] = known[alias.name]

    # Expressions

    def value(self, node: ast.expr) -> Value:
        return _VISIT[type(node)](self, node)

    def visit_Name(self, node: ast.Name) -> Value:
        value = self.local[node.id] if node.id in self.local_names else self.variables[node.id]  # type: ignore[index]
        if type(value) not in VALUES:  # functions are not passed around here
            raise Leave
        return value

    def visit_Constant(self, node: ast.Constant) -> Value:
        if type(node.value) not in SCALARS:
            raise Leave
        return checked(node.value)

    def visit_BinOp(self, node: ast.BinOp) -> Value:
        return arithmetic(node.op, self.value(node.left), self.value(node.right))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Value:
        value = self.value(node.operand)
        if type(node.op) is ast.Not:
            return not value
        if type(value) not in NUMBERS or type(node.op) is ast.Invert:
            raise Leave
        return -value if type(node.op) is ast.USub else +value

    def visit_Compare(self, node: ast.Compare) -> Value:
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

    def visit_BoolOp(self, node: ast.BoolOp) -> Value:
        self.skipped = True
        wanted = type(node.op) is ast.Or
        for operand in node.values:
            value = self.value(operand)
            if bool(value) is wanted:
                break
        return value

    def visit_IfExp(self, node: ast.IfExp) -> Value:
        self.skipped = True
        return self.value(node.body if self.value(node.test) else node.orelse)

    def visit_Tuple(self, node: ast.Tuple | ast.List) -> Value:
        values = [self.value(part) for part in node.elts]
        # Flat only: inner lists that are shared print exponentially.
        if len(values) > _MOST_ITEMS or not all(type(value) in SCALARS for value in values):
            raise Leave
        return values if type(node) is ast.List else tuple(values)

    visit_List = visit_Tuple

    def visit_Subscript(self, node: ast.Subscript) -> Value:
        group = self.value(node.value)
        index = self.value(node.slice)
        if type(node.value) is not ast.Name or type(group) not in SEQUENCES or type(index) is not int:
            raise Leave
        return group[index]

    def visit_Attribute(self, node: ast.Attribute) -> Value:
        if not self.is_math(node.value):
            raise Leave
        return MATH_VALUES[node.attr]

    def is_math(self, node: ast.expr) -> bool:
        return type(node) is ast.Name and node.id not in self.local_names and self.variables.get(node.id) is _MATH

    def visit_JoinedStr(self, node: ast.JoinedStr) -> str:
        return checked("".join([checked(_VISIT[type(part)](self, part)) for part in node.values]))

    def visit_FormattedValue(self, node: ast.FormattedValue) -> str:
        match node.format_spec:
            case None:
                spec = ""
            case ast.JoinedStr(values=[ast.Constant(value=str(spec))]):
                pass
            case _:
                raise Leave
        return formatted(self.value(node.value), node.conversion, spec)

    # Calls

    def visit_Call(self, node: ast.Call) -> Value:
        if type(node.func) is ast.Attribute and self.is_math(node.func.value):
            return self.native(MATH_FUNCTIONS[node.func.attr], node)
        if type(node.func) is not ast.Name or node.func.id in self.local_names:
            raise Leave
        function: Value = self.variables.get(node.func.id)
        if type(function) is Function:
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
            return checked(function(*arguments))
        if function != self.print:
            raise Leave
        return checked(function(*arguments, **self.keywords(node)))

    def print(self, *values: Value, sep: str = " ", end: str = "\n") -> None:
        if type(sep) is not str or type(end) is not str:
            raise Leave
        texts = []
        for value in values:
            texts.append(str(value))
            self.spend(len(texts[-1]) + len(sep))
        self.spend(len(end))
        self.out.append(sep.join(texts) + end)

    def invoke(self, function: Function, given: list[Value], named: dict[str, Value]) -> Value:
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


_VISIT: dict[type, Callable[[Run, Any], Any]] = {
    getattr(ast, name.removeprefix("visit_")): method for name, method in vars(Run).items() if name.startswith("visit_")
}
