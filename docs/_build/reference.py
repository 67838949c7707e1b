"""Hook of the documentation: option tables from the code itself, so that no page can go out of date.

A page writes `<!-- reference: configuration -->` or `<!-- reference: commands -->` where the tables belong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

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


TABLES = {"configuration": configuration, "commands": commands}

if __name__ == "__main__":
    print(json.dumps({name: "\n".join(make()) for name, make in TABLES.items()}, indent=1))
