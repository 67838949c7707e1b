"""Static checks of programs for the straight-line interpreter."""

from __future__ import annotations

import ast
import re

from mmst.verify.programs.bounded import Leave

_MOST_CHARACTERS = 4000  # of a program; also bounds how deep the parser recurses, to within 512 KiB of stack
_MOST_BRACKETS = 40  # open at a time; parsing a syntax error can take exponential time in them
# The parser warns about these (an unknown escape, a number running into a word); only CPython prints the warning.
_WARNED = re.compile(r"\\[^\n\\'\"abfnrtvxuUN0-7]|\d(?:and|else|for|if|in|is|not|or)")
_BRACKETS = re.compile(r"[()\[\]{}]")


def readable(program: str) -> bool:
    """Whether a program can be parsed in this process: in bounded time, and without a warning that CPython prints."""
    if len(program) > _MOST_CHARACTERS or _WARNED.search(program) or "__debug__" in program:
        return False
    depth = 0
    for bracket in _BRACKETS.findall(program):
        depth += 1 if bracket in "([{" else -1
        if depth > _MOST_BRACKETS:
            return False
    return True


_STATEMENTS = {
    ast.Module, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.FunctionDef, ast.Return, ast.If, ast.Import,
    ast.ImportFrom, ast.Pass, ast.alias, ast.arguments, ast.arg,
}  # fmt: skip
_EXPRESSIONS = {
    ast.Name, ast.Load, ast.Store, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.List,
    ast.Tuple, ast.Subscript, ast.Attribute, ast.JoinedStr, ast.FormattedValue, ast.Call, ast.keyword,
}  # fmt: skip
_OPERATORS = {
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt,
    ast.GtE, ast.In, ast.NotIn, ast.And, ast.Or, ast.Not, ast.USub, ast.UAdd,
}  # fmt: skip
_KNOWN = _STATEMENTS | _EXPRESSIONS | _OPERATORS


def compiles_silently(tree: ast.Module) -> bool:
    """Whether CPython would compile every part, evaluated or not, without an error or a warning.

    Strict: accepts only what the interpreter handles. Parsing alone does not find a repeated argument, a `return`
    outside a function, or a call of a literal.
    """
    return all(map(_known, ast.walk(tree))) and not any(
        type(node) is ast.Return
        for statement in tree.body
        if type(statement) is not ast.FunctionDef
        for node in ast.walk(statement)
    )


def _known(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name() | ast.Attribute(), keywords=keywords):
            return len({keyword.arg for keyword in keywords}) == len(keywords)
        case ast.Call() | ast.alias(name="*"):
            return False
        case ast.Subscript(value=value):
            return type(value) is ast.Name
        case ast.arguments(args=args, posonlyargs=[], kwonlyargs=[], vararg=None, kwarg=None):
            return len({parameter.arg for parameter in args}) == len(args)
        case ast.arguments():
            return False
        case ast.ImportFrom(module=module):
            return module == "math"
    return type(node) in _KNOWN


def bound_names(body: list[ast.stmt]) -> set[str]:
    """The names that a function's statements bind, which makes them local throughout. Raises Leave for loops etc."""
    names: set[str] = set()
    for statement in body:
        match statement:
            case ast.Assign(targets=targets):
                names.update(name.id for target in targets for name in target_names(target))
            case ast.AugAssign(target=ast.Name(id=name)) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.If(body=taken, orelse=other):
                names |= bound_names(taken) | bound_names(other)
            case ast.Expr() | ast.Return() | ast.Pass():
                pass
            case _:
                raise Leave
    return names


def target_names(target: ast.expr) -> list[ast.Name]:
    """The names that an assignment's target binds. Raises Leave for anything but names."""
    parts = target.elts if type(target) is ast.Tuple else [target]
    if not all(type(part) is ast.Name for part in parts):
        raise Leave
    return parts  # type: ignore[return-value]
