"""Commands over JSON lines: compare, execute, filter."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from mmst.cli.options import In, Out


def compare(
    in_: In = "-",
    out: Out = "-",
    gold_field: Annotated[str, typer.Option(help="Column of the reference answer.")] = "gold",
    prediction_field: Annotated[str, typer.Option(help="Column of the answer to verify.")] = "prediction",
) -> None:
    """Tell whether answers are equal: rows {id, gold, prediction} gain {equal, reason}; equal null is undecided.

    Example: mmst compare --in pairs.jsonl --out verdicts.jsonl
    """
    from mmst.jsonl import read_rows, write_rows
    from mmst.verify.answers import compare_rows

    rows = compare_rows(read_rows(in_), gold_field=gold_field, prediction_field=prediction_field)
    write_rows(out, rows)


def execute(
    in_: In = "-",
    out: Out = "-",
    method: Annotated[str | None, typer.Option(help="Method of all rows, instead of a column.")] = None,
    text_field: Annotated[str, typer.Option(help="Column of the program.")] = "text",
    cpu_seconds: Annotated[float, typer.Option(help="CPU time of one program.")] = 5.0,
    wall_seconds: Annotated[float, typer.Option(help="Wall time of one program.")] = 15.0,
    workers: Annotated[int | None, typer.Option(help="Programs at once; default one per core.")] = None,
    allow_weak: Annotated[bool, typer.Option(help="Run even where the kernel offers no protection.")] = False,
) -> None:
    """Run model-written programs in the sandbox: rows gain {status, answer, stdout, stderr, seconds}.

    Example: mmst execute --method pot --text-field program --in programs.jsonl --out results.jsonl
    """
    import os

    from mmst.jsonl import read_rows, write_rows
    from mmst.verify.execute import execute_rows
    from mmst.verify.programs import Limits, Sandbox

    limits = Limits(cpu_seconds=cpu_seconds, wall_seconds=wall_seconds)
    with Sandbox(limits, workers=workers or os.cpu_count() or 1, allow_weak=allow_weak) as sandbox:
        print(f"sandbox: {sandbox.protection.describe()}", file=sys.stderr)
        write_rows(out, execute_rows(read_rows(in_), sandbox, method=method, text_field=text_field))


def filter_(
    label: Annotated[
        Literal["gold", "agreement", "gold_or_agreement"], typer.Option(help="What a solution must agree with.")
    ],
    in_: In = "-",
    out: Out = "-",
    text_field: Annotated[str, typer.Option(help="Column of the solution.")] = "text",
    cap: Annotated[int, typer.Option(help="Solutions kept per problem and method.", min=1)] = 2,
    allow_weak: Annotated[bool, typer.Option(help="Run programs even where the kernel offers no protection.")] = False,
) -> None:
    """Verifier, label and filter solutions: rows {problem_id, question, answer?, method, text} gain
    {status, answer_found, label, kept, reason}.

    Example: mmst filter --label gold --in solutions.jsonl --out filtered.jsonl
    """
    from mmst.actors.verifier import Verifier
    from mmst.config import FilterConfig, SandboxConfig
    from mmst.jsonl import read_rows, write_rows
    from mmst.methods import METHODS
    from mmst.records import Completion, Verdict
    from mmst.selection import filter_rows

    verify = Verifier(list(METHODS.values()), SandboxConfig(allow_weak=allow_weak))

    def read(method: str, text: str) -> Verdict:
        return verify.verify([(method, Completion(text, "stop", 0))])[0]

    try:
        settings = FilterConfig(label=label, cap=cap)
        write_rows(out, filter_rows(read_rows(in_), read, settings, text_field=text_field))
    finally:
        verify.close()
