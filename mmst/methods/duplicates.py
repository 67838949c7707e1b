"""When two solutions of a problem count as the same: the key that duplicates share."""

from __future__ import annotations

import ast
import re
import warnings

from mmst.verify.answers.calculations import calculation_key

_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*|[-+*/=%^<>]")


def text_key(text: str) -> str:
    """Words, numbers and signs, without case, white space and punctuation."""
    return " ".join(_WORD.findall(text.casefold()))


def rationale_key(text: str) -> str:
    """The calculations of a rationale in their order (RFT, Yuan et al. 2023); its text where it states none."""
    return "\n".join(calculation_key(text)) or text_key(text)


def program_key(text: str) -> str:
    """The syntax tree of a program without names of its own, comments, docstrings and annotations.

    Its text where it is no Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        return ast.dump(_Anonymous(_bound_names(tree)).visit(tree), annotate_fields=False)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text_key(text)


def _bound_names(tree: ast.AST) -> dict[str, str]:
    """Every name that the program itself gives, numbered in the order of the text; those of libraries stay."""
    found: list[tuple[int, int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.alias) and node.asname:
            name = node.asname
        else:
            continue
        found.append((node.lineno, node.col_offset, name))
    return {name: f"v{number}" for number, name in enumerate(dict.fromkeys(name for *_, name in sorted(found)))}


class _Anonymous(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg, node.annotation = self.names.get(node.arg, node.arg), None
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        if node.arg is not None:
            node.arg = self.names.get(node.arg, node.arg)
        return self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> ast.AST:
        if node.asname:
            node.asname = self.names.get(node.asname, node.asname)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name, node.returns = self.names.get(node.name, node.name), None
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return self.generic_visit(ast.Assign(targets=[node.target], value=node.value))

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """A text on its own does nothing: a docstring, or a comment in disguise."""
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)
