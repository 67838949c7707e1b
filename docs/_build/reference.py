"""Hook of the documentation: option tables from the code itself, so that no page can go out of date.

A page writes `<!-- reference: configuration -->` or `<!-- reference: commands -->` where the tables belong, and
`<!-- reference: mmst -->` or `<!-- reference: verify -->` where the public names of these packages belong.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_MARK = re.compile(r"^<!-- reference: (\w+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for every page."""
    return _MARK.sub(lambda mark: "\n".join(TABLES[mark[1]]()), markdown)


def configuration() -> Iterator[str]:
    """A table for every section of the configuration: field, values, default, meaning."""
    from mmst.config.explain import explain, schema

    tree = schema()

    def section(path: str) -> Iterator[str]:
        found = explain(path, tree)
        yield f"\n## {f'`{path}`' if path else 'Top level'} {{ #{path.replace('.', '-') or 'top-level'} }}\n"
        yield f"{found.text}\n"
        yield "| field | values | default | meaning |\n|---|---|---|---|"
        inner = [explain(name, tree) for name in found.inside]
        for field in inner:
            name = field.path.rpartition(".")[2]
            shown = f"[`{name}`](#{field.path.replace('.', '-')})" if field.inside else f"`{name}`"
            default = "" if field.default is None else f"`{field.default}`"
            yield f"| {shown} | {_cell(field.valid)} | {_cell(default)} | {_cell(field.text)} |"
        for field in inner:
            if field.inside:
                yield from section(field.path)

    yield from section("")


def commands() -> Iterator[str]:
    """A section for every command: what it does, its arguments and its options."""
    import typer

    from mmst.cli import app

    def section(name: str, command: Any) -> Iterator[str]:
        if hasattr(command, "commands"):
            for inner in command.commands.values():
                yield from section(f"{name} {inner.name}", inner)
            return
        text = " ".join((command.help or "").split())
        text, _, example = text.partition(" Example: ")
        yield f"\n### {name} {{ #{name.replace(' ', '-')} }}\n\n{text}\n"
        if example:
            yield f"Example: `{example}`\n"
        yield "| argument or option | default | meaning |\n|---|---|---|"
        for parameter in command.params:
            if parameter.name == "help":
                continue
            option = parameter.param_type_name == "option"
            shown = ", ".join(parameter.opts + parameter.secondary_opts) if option else parameter.name.upper()
            default = parameter.default
            plain = default != "" and isinstance(default, str | int | float) and not isinstance(default, bool)
            yield f"| `{shown}` | {f'`{default}`' if plain else ''} | {_cell(getattr(parameter, 'help', '') or '')} |"

    for command in typer.main.get_command(app).commands.values():  # type: ignore[attr-defined]
        yield from section(f"mmst {command.name}", command)


def _cell(text: str) -> str:
    """Text for one cell of a table; what stands in backticks is code and stays as it is, but for bars."""
    parts = " ".join(text.split()).replace("|", "\\|").split("`")
    parts[::2] = [re.sub(r"([\[\]*_])", r"\\\1", part).replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def public_names(package: Path) -> dict[str, str]:
    """The names of a package's `__all__` (else all that it imports) with the modules that it has them from."""
    tree = ast.parse((package / "__init__.py").read_text())
    imports = [
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and (node.module or "")[:4] == "mmst"
    ]
    found = {alias.asname or alias.name: str(node.module) for node in imports for alias in node.names}
    lists = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    wanted = ast.literal_eval(lists[0]) if lists else list(found)
    return {name: found[name] for name in wanted if name in found}


def _entries(package: Path, elsewhere: tuple[str, ...] = ()) -> Iterator[str]:
    """A mkdocstrings entry for every public name at its defining module, functions before classes."""
    names = public_names(package)
    for name in sorted(names, key=lambda name: name[0].isupper()):
        if names[name] not in elsewhere:
            yield f"\n::: {names[name]}.{name}\n"


def mmst() -> Iterator[str]:
    """The public names of `mmst`, but for those that the page has in sections of their own."""
    yield from _entries(_ROOT / "mmst", ("mmst.config", "mmst.errors", "mmst.records"))


def verify() -> Iterator[str]:
    """The public names of `mmst.verify`."""
    yield from _entries(_ROOT / "mmst" / "verify", ("mmst.records",))


TABLES = {"configuration": configuration, "commands": commands, "mmst": mmst, "verify": verify}

if __name__ == "__main__":
    print(json.dumps({name: "\n".join(make()) for name, make in TABLES.items()}, indent=1))
