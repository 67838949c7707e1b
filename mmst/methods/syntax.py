"""What the syntax tree of a program shows: whether two programs are the same, and whether one computes its answer."""

from __future__ import annotations

import ast
import warnings

_PASS_ON = {"print", "int", "float", "str", "round", "abs"}
"""Calls that calculate nothing by themselves."""
_NAMES = ("id", "arg", "name", "asname")
"""Attributes of nodes that hold a name."""


def program_key(text: str) -> str | None:
    """The syntax tree of a program without its own names, comments, docstrings and annotations; None if it is not
    Python. Programs with the same key are duplicates."""
    tree = _parsed(text)
    try:
        return ast.dump(_Anonymous(_bound_names(tree)).visit(tree), annotate_fields=False) if tree else None
    except (RecursionError, MemoryError):
        return None


def program_calculates(text: str) -> bool:
    """Whether the value that a program prints, names `ans` or returns comes from a calculation.

    An operation calculates, and so does a call, a name that holds a calculated value, or a function that returns one.

    >>> program_calculates("total = 3 + 4\\nprint(total)"), program_calculates("total = 3 + 4\\nprint(7)")
    (True, False)
    """
    tree = _parsed(text)
    nodes = list(ast.walk(tree)) if tree else []
    constant = {node.name for node in nodes if isinstance(node, ast.FunctionDef)} | _PASS_ON
    calculated: set[str] = set()

    def calculates(value: ast.AST | None) -> bool:
        return any(
            isinstance(node, ast.BinOp | ast.AugAssign)
            or (isinstance(node, ast.Name) and node.id in calculated)
            or (isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in constant))
            for node in (ast.walk(value) if value else ())
        )

    bindings = [binding for node in nodes if (binding := _binding(node))]
    known = -1
    while len(calculated) > known:  # a name may be used above its binding
        known = len(calculated)
        for names, values in bindings:
            if any(map(calculates, values)):
                calculated |= names
    printed = (n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print")
    return any(calculates(value) for call in printed for value in call.args) or bool({"ans", "solution"} & calculated)


def _binding(node: ast.AST) -> tuple[set[str], list[ast.AST | None]] | None:
    """The names that a statement binds, and the values that they come from."""
    match node:
        case ast.FunctionDef(name=name):
            return {name}, [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return)]
        case ast.Assign(targets=targets, value=value):
            return {name for target in targets for name in _names(target)}, [value]
        case ast.AnnAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
            return _names(target), [value]
        case ast.For(target=target, iter=value):
            return _names(target), [value]
        case ast.AugAssign(target=target):
            return _names(target), [node]
    return None


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _names(target: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _bound_names(tree: ast.AST) -> dict[str, str]:
    """The names that the program itself binds, numbered in the order of the text; names of libraries stay."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.alias(asname=str(name)):
                found.append((node.lineno, node.col_offset, name))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.append((node.lineno, node.col_offset, name))
    return {name: f"v{number}" for number, name in enumerate(dict.fromkeys(name for *_, name in sorted(found)))}


class _Anonymous(ast.NodeTransformer):
    """Replaces bound names, and removes annotations and texts that stand alone (docstrings, comments in disguise)."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in _NAMES if not isinstance(node, ast.alias) else ("asname",):
            if (name := getattr(node, field, None)) in self.names:
                setattr(node, field, self.names[name])
        for field in ("annotation", "returns"):
            if hasattr(node, field):
                setattr(node, field, None)
        return super().generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return self.generic_visit(ast.Assign(targets=[node.target], value=node.value)) if node.value else None

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else self.generic_visit(node)
