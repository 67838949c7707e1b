"""Commands on JSON Lines: compare, execute, filter."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Literal

import typer

from mmst.cli.options import AllowWeak, In, Out


def compare(
    in_: In = "-",
    out: Out = "-",
    gold_field: Annotated[str, typer.Option(help="Column of the reference answer.")] = "gold",
    prediction_field: Annotated[str, typer.Option(help="Column of the predicted answer.")] = "prediction",
) -> None:
    """Compare answers: rows {id, gold, prediction} gain {equal, reason}. `equal` is null if it is undecided.

    Example: mmst compare --in pairs.jsonl --out verdicts.jsonl
    """
    from mmst.jsonl import read_rows, write_rows
    from mmst.verify.answers import compare_rows

    rows = compare_rows(read_rows(in_), gold_field=gold_field, prediction_field=prediction_field)
    write_rows(out, rows)


def execute(
    in_: In = "-",
    out: Out = "-",
    method: Annotated[
        Literal["pot", "eot"] | None, typer.Option(help="Method of all rows, instead of the column `method`.")
    ] = None,
    text_field: Annotated[str, typer.Option(help="Column of the program or equations.")] = "text",
    cpu_seconds: Annotated[float, typer.Option(help="CPU time limit of one program.", max=86_400)] = 5.0,
    wall_seconds: Annotated[float, typer.Option(help="Wall time limit of one program.", max=86_400)] = 15.0,
    workers: Annotated[
        int | None, typer.Option(help="Programs to run at once; default one per core.", min=1, max=1024)
    ] = None,
    allow_weak: AllowWeak = False,
) -> None:
    """Run programs (pot) and solve equations (eot) in the sandbox: rows gain {status, answer, stdout, stderr, seconds}.

    Example: mmst execute --method pot --text-field program --in programs.jsonl --out results.jsonl
    """
    from mmst.jsonl import read_rows, write_rows
    from mmst.verify.execute import execute_rows
    from mmst.verify.programs import Limits, Sandbox

    limits = Limits(cpu_seconds=cpu_seconds, wall_seconds=wall_seconds)
    workers = workers or len(os.sched_getaffinity(0))
    with Sandbox(limits, workers=workers, allow_weak=allow_weak) as sandbox:
        print(f"sandbox: {sandbox.protection.describe()}", file=sys.stderr)
        rows = execute_rows(read_rows(in_), sandbox, method=method, text_field=text_field, workers=workers)
        write_rows(out, rows)


def filter_(
    label: Annotated[
        Literal["gold", "agreement", "gold_or_agreement"], typer.Option(help="What a solution must agree with.")
    ],
    in_: In = "-",
    out: Out = "-",
    text_field: Annotated[str, typer.Option(help="Column of the solution.")] = "text",
    cap: Annotated[int, typer.Option(help="Solutions kept per problem and method.", min=1)] = 2,
    allow_weak: AllowWeak = False,
) -> None:
    """Verify, label and filter solutions as a round does: rows {problem_id, question, answer?, method, text} gain
    {status, answer_found, label, kept, reason}.

    Example: mmst filter --label gold --in solutions.jsonl --out filtered.jsonl
    """
    from mmst.actors.verifier import Verifier
    from mmst.config import FilterConfig, SandboxConfig
    from mmst.jsonl import read_rows, write_rows
    from mmst.methods import METHODS
    from mmst.records import Completion, Verdict
    from mmst.selection import filter_rows

    workers = len(os.sched_getaffinity(0))
    verifier = Verifier(list(METHODS.values()), SandboxConfig(allow_weak=allow_weak), workers)

    def verify(method: str, text: str) -> Verdict:
        return verifier.verify([(method, Completion(text, "stop", 0))])[0]

    try:
        settings = FilterConfig(label=label, cap=cap)
        write_rows(out, filter_rows(read_rows(in_), verify, settings, text_field=text_field, workers=workers))
    finally:
        verifier.close()
