"""Which programs the straight-line evaluator may look at, and whether CPython would compile what it passed over."""

from __future__ import annotations

import ast
import re

_MOST_CHARACTERS = 4000  # of a program; also bounds how deep the parser recurses, to within 512 KiB of stack
_MOST_BRACKETS = 40  # open at a time; parsing a syntax error can take exponential time in them
# What the parser warns about (an unknown escape, a number running into a word): CPython has the word there.
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
    """Whether CPython would compile every part, run or not, without an error or a warning.

    Strict: only what the evaluator knows. Parsing alone does not find a repeated argument, a `return` outside a
    function, a call of a literal.
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
