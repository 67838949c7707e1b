"""Commands about configurations: init, config schema, config explain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from mmst.errors import InputError

app = typer.Typer(help="Explain the fields of a configuration.", no_args_is_help=True, rich_markup_mode=None)


def init(
    file: Annotated[Path, typer.Argument(help="The new YAML file.")],
    kind: Annotated[
        Literal["tiny", "data", "gpu", "cluster"],
        typer.Option(help="A demonstration on a laptop, your own problems, one GPU, or a Ray cluster."),
    ] = "data",
) -> None:
    """Write a commented configuration to start from.

    Example: mmst init --kind data mine.yaml
    """
    text = (Path(__file__).parents[1] / "config" / "starters" / f"{kind}.yaml").read_text()
    try:
        with file.open("x") as new:
            new.write(text)
    except FileExistsError as error:
        raise InputError(f"{file}: already exists; choose another name or remove it") from error
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror})") from error
    typer.echo(f"{file}: edit it, then: mmst run {file} --dry-run")


@app.command("schema")
def schema_() -> None:
    """Print the JSON Schema of a configuration, for completion and checks in an editor.

    Example: mmst config schema > mmst.schema.json

    Then make this the first line of a configuration: # yaml-language-server: $schema=mmst.schema.json
    """
    from mmst.config.explain import schema
    from mmst.methods import METHODS

    typer.echo(json.dumps(schema(METHODS), indent=1, ensure_ascii=False))


@app.command("explain")
def explain_(
    field: Annotated[str, typer.Argument(help="Dotted name, such as filter.label; without it, all sections.")] = "",
) -> None:
    """Explain a field: its meaning, valid values and default.

    Example: mmst config explain filter.agreement.share
    """
    from mmst.config.explain import explain, schema
    from mmst.methods import METHODS

    tree = schema(METHODS)
    found = explain(field, tree)
    head = f"{found.path}: {found.valid}" if found.path else found.text
    typer.echo(head + _default(found.default))
    if found.path:
        typer.echo(f"  {found.text}")
    for path in found.inside:
        inner = explain(path, tree)
        typer.echo(f"  {path}: {inner.valid}{_default(inner.default)}\n    {inner.text}")


def _default(value: str | None) -> str:
    return "" if value is None else f" (default {value})"
