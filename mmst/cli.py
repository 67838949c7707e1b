"""The command line: parse, call, print. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mmst.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="mmst",
    help="Self-training loops for language models: solve by several methods, keep what can be trusted, "
    "translate it into the other methods, retrain, go round again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
problems_app = typer.Typer(
    help="Make, check and convert files of problems.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(problems_app, name="problems")

In = Annotated[str, typer.Option("--in", help="JSON lines file, - for standard input.")]
Out = Annotated[str, typer.Option("--out", help="JSON lines file, - for standard output.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a field of the configuration, such as rounds.max=3."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="YAML file, such as configs/tiny.yaml.")],
    run_dir: Annotated[Path | None, typer.Option(help="Where it goes; default runs/<name>.")] = None,
    set_: Settings = None,
    dry_run: Annotated[
        bool, typer.Option(help="Print the resolved configuration and what it needs; do nothing.")
    ] = False,
) -> None:
    """Run the self-training loop, or go on with a run: the same line resumes.

    Example: mmst run configs/tiny.yaml --set rounds.max=3
    """
    from mmst.config.file import load_config

    resolved = load_config(config, set_ or [])
    root = (run_dir or Path("runs") / resolved.name).absolute()
    if dry_run:
        from mmst.dry_run import check

        check(resolved, root)
        return
    from mmst.loop import self_train
    from mmst.progress import Reporter
    from mmst.runs.directory import RunDirectory
    from mmst.runs.status import status_of

    report = Reporter()
    try:
        reason = self_train(resolved, root, report)
    except KeyboardInterrupt:
        print("mmst: interrupted; the same line goes on where it was", file=sys.stderr)
        raise
    _print_rounds(report.console, status_of(RunDirectory(root))["rounds"])
    report.line(f"{root.name}: {reason}")


@app.command()
def status(
    run_dir: Annotated[Path, typer.Argument(help="A run directory, such as runs/tiny.")],
    json_: Json = False,
) -> None:
    """Where a run stands, round by round.

    Example: mmst status runs/tiny --json
    """
    from rich.console import Console

    from mmst.runs.status import run_at, status_of

    found = status_of(run_at(run_dir))
    if json_:
        typer.echo(json.dumps(found))
        return
    console = Console()
    console.print(f"{found['run']}: {found['state']}")
    _print_rounds(console, found["rounds"])


def _print_rounds(console: Console, rounds: list[dict[str, Any]]) -> None:
    from mmst.runs.status import rounds_table, slices_table

    console.print(rounds_table(rounds))
    if (table := slices_table(rounds)) is not None:
        console.print(table)


@app.command()
def compare(
    in_: In = "-",
    out: Out = "-",
    gold_field: Annotated[str, typer.Option(help="Column of the reference answer.")] = "gold",
    prediction_field: Annotated[str, typer.Option(help="Column of the answer to judge.")] = "prediction",
) -> None:
    """Tell whether answers are equal: rows {id, gold, prediction} gain {equal, reason}; equal null is undecided.

    Example: mmst compare --in pairs.jsonl --out verdicts.jsonl
    """
    from mmst.answers import compare_rows
    from mmst.jsonl import read_rows, write_rows

    rows = compare_rows(read_rows(in_), gold_field=gold_field, prediction_field=prediction_field)
    write_rows(out, rows)


@app.command()
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
    from mmst.sandbox import Limits, Sandbox, execute_rows

    limits = Limits(cpu_seconds=cpu_seconds, wall_seconds=wall_seconds)
    with Sandbox(limits, workers=workers or os.cpu_count() or 1, allow_weak=allow_weak) as sandbox:
        print(f"sandbox: {sandbox.protection.describe()}", file=sys.stderr)
        write_rows(out, execute_rows(read_rows(in_), sandbox, method=method, text_field=text_field))


@app.command("filter")
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
    """Judge, label and filter solutions: rows {problem_id, question, answer?, method, text} gain
    {status, answer_found, label, kept, reason}.

    Example: mmst filter --label gold --in solutions.jsonl --out filtered.jsonl
    """
    from mmst.config import FilterConfig, SandboxConfig
    from mmst.jsonl import read_rows, write_rows
    from mmst.judging.judge import Judge
    from mmst.methods import METHODS
    from mmst.methods.base import Completion, Verdict
    from mmst.selection import filter_rows

    judge = Judge(list(METHODS.values()), SandboxConfig(allow_weak=allow_weak))

    def read(method: str, text: str) -> Verdict:
        return judge.judge([(method, Completion(text, "stop", 0))])[0]

    try:
        settings = FilterConfig(label=label, cap=cap)
        write_rows(out, filter_rows(read_rows(in_), read, settings, text_field=text_field))
    finally:
        judge.close()


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A checkpoint: a Hugging Face directory or a hub id.")],
    problems: Annotated[str, typer.Option(help="Problems: JSONL, Parquet or a datasets name.")],
    methods: Annotated[str, typer.Option(help="Methods, separated by commas; default: those of its mmst.json.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write every answer to this Parquet file.")] = None,
    set_: Settings = None,
    json_: Json = False,
) -> None:
    """Accuracy of every method and of their vote, with 95 % intervals.

    Example: mmst evaluate runs/tiny/round-002/checkpoints/solver --problems runs/tiny/problems/test.jsonl
    """
    from rich.console import Console

    from mmst.evaluating import evaluate_checkpoint, figures_table
    from mmst.progress import Reporter

    report = Reporter(Console(stderr=True))
    figures = evaluate_checkpoint(str(model), problems, [m for m in methods.split(",") if m], set_ or [], out, report)
    if json_:
        typer.echo(json.dumps(figures))
    else:
        Console().print(figures_table(figures))


@app.command()
def experiment(
    file: Annotated[Path, typer.Argument(help="YAML file with a base configuration, arms and seeds.")],
    out_dir: Annotated[Path | None, typer.Option(help="Where runs and results go; default runs/<file name>.")] = None,
) -> None:
    """Arms × seeds over one configuration: a table with intervals, paired differences and a plot.

    What is finished is never done again; arms share round 0. Example: mmst experiment experiments/mmst.yaml
    """
    from mmst.experiment import run_experiment
    from mmst.progress import Reporter

    run_experiment(file, out_dir or Path("runs") / file.stem, Reporter())


@app.command()
def doctor() -> None:
    """What this machine has, and what would not work."""
    from mmst.sandbox import Sandbox

    with Sandbox(allow_weak=True) as sandbox:
        typer.echo(f"sandbox: {sandbox.protection.describe()}")


@problems_app.command("make")
def make(
    out_dir: Annotated[Path, typer.Argument(help="Directory for train, dev, test and annotated.jsonl.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Field of the generator, such as steps={1: 1, 2: 3}."),
    ] = None,
) -> None:
    """Make synthetic word problems with exact solutions in every view.

    Example: mmst problems make problems/ --set train=1000 --set largest=50
    """
    from mmst.config.file import build_config, with_settings
    from mmst.problems.read import write_problems
    from mmst.problems.sets import read_sets

    config = build_config({"problems": {"synthetic": with_settings({}, set_ or [])}}, "--set")
    out_dir.mkdir(parents=True, exist_ok=True)
    for name, problems in read_sets(config.problems, config.seed).by_name().items():
        write_problems(out_dir / f"{name}.jsonl", problems)
        typer.echo(f"{out_dir / f'{name}.jsonl'}: {len(problems):,} problems")


@problems_app.command("check")
def check_problems(
    file: Annotated[str, typer.Argument(help="Problems: JSONL, Parquet or a datasets name.")],
    against: Annotated[str | None, typer.Option(help="Count questions that are also in this file.")] = None,
    ngram: Annotated[int | None, typer.Option(help="Also count a shared run of this many words.")] = None,
    json_: Json = False,
) -> None:
    """Validate a file of problems; with --against, its overlap with another one.

    Example: mmst problems check train.jsonl --against test.jsonl --ngram 13
    """
    from collections import Counter

    from mmst.problems.read import read_problems
    from mmst.problems.splits import remove_overlap

    problems = read_problems(file)
    found: dict[str, Any] = {
        "problems": len(problems),
        "with_answer": sum(p.answer is not None for p in problems),
        "views": dict(Counter(view for p in problems for view in p.views)),
    }
    if against is not None:
        found["overlap"] = len(problems) - len(remove_overlap(problems, read_problems(against), ngram))
    typer.echo(json.dumps(found) if json_ else "\n".join(f"{key}: {value}" for key, value in found.items()))


@problems_app.command("convert")
def convert(
    source: Annotated[str, typer.Argument(help="Problems: JSONL, Parquet or a datasets name.")],
    out: Annotated[Path, typer.Argument(help="JSONL file.")],
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=COLUMN", help="Where a field of a problem is found, such as question=problem."),
    ] = None,
    answer_from: Annotated[str | None, typer.Option(help="Regular expression; group 1 is the answer.")] = None,
) -> None:
    """Convert problems to mmst's own JSONL, with the views that can be derived from an equation.

    Example: mmst problems convert data.parquet problems.jsonl --field question=problem
    """
    from mmst.problems.read import derive_views, read_problems, write_problems

    fields = dict(pair.split("=", 1) for pair in field or [] if "=" in pair)
    problems = [derive_views(p) for p in read_problems(source, fields=fields, answer_from=answer_from)]
    write_problems(out, problems)
    typer.echo(f"{out}: {len(problems):,} problems")


def main() -> None:
    """Entry point: a user's mistake is one message and exit code 2; typer ends Ctrl-C quietly with 130."""
    try:
        app()
    except InputError as error:
        print(f"mmst: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(141)
