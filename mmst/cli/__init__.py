"""The command line: parse, call, print. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import sys

import typer

from mmst.cli import checkpoints, configuration, examine, inspect, pages, problems, rows, runs, upkeep
from mmst.cli.process import command_process
from mmst.errors import GaveUp, InputError

app = typer.Typer(
    name="mmst",
    help="Self-training loops for language models: solve by several methods, keep what can be trusted, "
    "translate it into the other methods, retrain, go round again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
)
for command in (
    *(configuration.init, runs.run, inspect.status, inspect.list_, inspect.show, runs.experiment),
    *(rows.compare, rows.execute, rows.filter_, checkpoints.evaluate, checkpoints.solve),
    *(pages.dashboard, pages.report, examine.doctor),
):
    app.command(command.__name__.rstrip("_"))(command)
app.command("verify-run")(upkeep.verify_run)
app.command("clean")(upkeep.clean)
app.add_typer(problems.app, name="problems")
app.add_typer(configuration.app, name="config")


def main() -> None:
    """Entry point: a user's mistake is one message and exit code 2, what failed every time one and exit code 1; typer
    ends Ctrl-C quietly with 130."""
    try:
        with command_process():
            app()
    except InputError as error:
        print(f"mmst: {error}", file=sys.stderr)
        sys.exit(2)
    except GaveUp as error:
        print(f"mmst: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(141)
