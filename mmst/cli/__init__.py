"""The command line: parse, call, print. Each command imports what it needs, so that help is fast."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from mmst import __version__
from mmst.cli import checkpoints, configuration, examine, inspect, pages, problems, rows, runs
from mmst.cli.process import command_process
from mmst.errors import GaveUp, InputError
from mmst.terminal import shown

_LINE, _LINES = 1000, 20
"""Characters per line, and lines, of a message."""

app = typer.Typer(
    name="mmst",
    help="Multi-Method Self-Training: solve problems by several methods, keep the solutions that can be trusted, "
    "translate them into the other methods, retrain, repeat.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]},
)
for command in (
    *(configuration.init, runs.run, inspect.status, inspect.list_, inspect.show, runs.experiment),
    *(rows.compare, rows.execute, rows.filter_, checkpoints.evaluate, checkpoints.solve),
    *(pages.dashboard, pages.report, examine.doctor, runs.verify_run, runs.clean),
):
    app.command(command.__name__.rstrip("_").replace("_", "-"))(command)
app.add_typer(problems.app, name="problems")
app.add_typer(configuration.app, name="config")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mmst {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None: ...


_FORESEEN = ("yaml", "pyarrow", "_duckdb", "duckdb", "jinja2", "ray")
"""Packages whose exceptions a user can cause by files, memory or machines."""


def main() -> None:
    """Entry point. Wrong input exits with 2, any other foreseen failure with 1, each with one message and no stack
    trace; Ctrl-C exits with 130, a closed pipe with 141."""
    try:
        try:
            with command_process():
                app()
        finally:
            sys.stdout.flush()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # the parser of options turns it into exit code 1
            _discard_output(141)
        raise
    except InputError as error:
        _end(str(error), 2)
    except BrokenPipeError:
        _discard_output(141)
    except OSError as error:
        _end(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    except Exception as error:
        foreseen = isinstance(error, GaveUp | UnicodeError | RecursionError | MemoryError)
        if not foreseen and type(error).__module__.partition(".")[0] not in _FORESEEN:
            raise
        _end(str(error) if isinstance(error, GaveUp) else f"{type(error).__name__}: {error}".splitlines()[0], 1)


def _end(message: str, code: int) -> None:
    """Print a message, whatever it quotes, and exit."""
    print(f"mmst: {shown(message.strip(), _LINE, _LINES).text}", file=sys.stderr)
    _discard_output(code)


def _discard_output(code: int) -> None:
    """Exit. What standard output could not take goes nowhere, or the interpreter would fail to write it once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)
