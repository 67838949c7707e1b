"""Whether a program works its answer out, or only states it."""

from __future__ import annotations

import ast
import warnings

_PASS_ON = {"print", "int", "float", "str", "round", "abs"}
"""Calls that calculate nothing by themselves."""


def program_calculates(text: str) -> bool:
    """Whether what a program prints, names `ans` or returns comes from a calculation in it.

    An operation calculates, and so does a call, a name that holds what was calculated, or a function that returns it.

    >>> program_calculates("total = 3 + 4\\nprint(total)"), program_calculates("total = 3 + 4\\nprint(7)")
    (True, False)
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    constant = {node.name for node in nodes if isinstance(node, ast.FunctionDef)} | _PASS_ON
    calculated: set[str] = set()

    def calculates(value: ast.AST) -> bool:
        for node in ast.walk(value):
            if isinstance(node, ast.BinOp | ast.AugAssign):
                return True
            if isinstance(node, ast.Name) and node.id in calculated:
                return True
            if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in constant):
                return True
        return False

    known = -1
    while len(calculated) > known:  # a name may be used above its place in the walk
        known = len(calculated)
        for node in nodes:
            if isinstance(node, ast.FunctionDef):
                if any(calculates(r.value) for r in ast.walk(node) if isinstance(r, ast.Return) and r.value):
                    calculated.add(node.name)
            elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.For) and calculates(node.iter)):
                calculated |= _names(node.target)
            elif isinstance(node, ast.Assign) and calculates(node.value):
                calculated |= {name for target in node.targets for name in _names(target)}
            elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value and calculates(node.value):
                calculated |= _names(node.target)
    printed = (n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print")
    return any(calculates(value) for call in printed for value in call.args) or bool({"ans", "solution"} & calculated)


def _names(target: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
