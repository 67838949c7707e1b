"""Commands on files of problems: make, check, convert."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mmst.cli.options import Json, Source
from mmst.errors import InputError

app = typer.Typer(help="Make, check and convert files of problems.", no_args_is_help=True, rich_markup_mode=None)


@app.command("make")
def make(
    out_dir: Annotated[Path, typer.Argument(help="Directory for train, dev, test and annotated.jsonl.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Field of `problems.synthetic`, such as steps={1: 1, 2: 3}."),
    ] = None,
) -> None:
    """Make synthetic word problems with exact solutions in every annotation style.

    Example: mmst problems make problems/ --set train=1000 --set largest=50
    """
    from mmst.config.file import build_config, with_settings
    from mmst.problems.read import write_problems
    from mmst.problems.sets import read_sets

    config = build_config({"problems": {"synthetic": with_settings({}, set_ or [])}}, "--set")
    made = read_sets(config.problems, config.seed).by_name()
    for name in made:
        _refuse_to_overwrite(out_dir / f"{name}.jsonl")
    out_dir.mkdir(parents=True, exist_ok=True)
    for name, problems in made.items():
        write_problems(out_dir / f"{name}.jsonl", problems)
        typer.echo(f"{out_dir / f'{name}.jsonl'}: {len(problems):,} problems")


def _refuse_to_overwrite(file: Path) -> None:
    if file.is_file():
        raise InputError(f"{file}: already exists; remove it or choose another name")


@app.command("check")
def check_problems(
    file: Source,
    against: Annotated[str | None, typer.Option(help="Count the questions that this file also has.")] = None,
    ngram: Annotated[
        int | None, typer.Option(help="With --against, also count questions that share this many words in a row.")
    ] = None,
    json_: Json = False,
) -> None:
    """Validate a file of problems and, with --against, count its overlap with another one.

    Example: mmst problems check train.jsonl --against test.jsonl --ngram 13
    """
    from collections import Counter

    from mmst.methods import METHODS
    from mmst.problems.read import read_problems
    from mmst.problems.sets import remove_overlap
    from mmst.verify.answers import read_answer

    if ngram is not None and against is None:
        raise InputError("--ngram needs --against: it counts overlap with another file")
    problems = read_problems(file)
    known = {"equation", *(method.view for method in METHODS.values())}
    found: dict[str, Any] = {
        "problems": len(problems),
        "with_answer": sum(p.answer is not None for p in problems),
        "unreadable_answers": sum(p.answer is not None and read_answer(p.answer) is None for p in problems),
        "views": dict(Counter(view for p in problems for view in p.views)),
        "unknown_views": dict(Counter(view for p in problems for view in p.views if view not in known)),
    }
    if against is not None:
        found["overlap"] = len(problems) - len(remove_overlap(problems, read_problems(against), ngram))
    typer.echo(json.dumps(found) if json_ else "\n".join(f"{key}: {value}" for key, value in found.items()))


@app.command("convert")
def convert(
    source: Source,
    out: Annotated[Path, typer.Argument(help="The JSONL file to write.")],
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=COLUMN", help="Column of a field of a problem, such as question=problem."),
    ] = None,
    answer_from: Annotated[
        str | None, typer.Option(help="Regular expression whose group 1 is the answer in the answer column.")
    ] = None,
) -> None:
    """Convert problems to the JSONL format of mmst, and derive annotations from equations.

    Example: mmst problems convert data.parquet problems.jsonl --field question=problem
    """
    from mmst.problems.read import derive_views, read_problems, write_problems

    _refuse_to_overwrite(out)
    fields = {}
    for pair in field or []:
        name, sign, column = pair.partition("=")
        if not (name and sign and column):
            raise InputError(f"--field {pair}: expected FIELD=COLUMN, such as question=problem")
        fields[name] = column
    problems = [derive_views(p) for p in read_problems(source, fields=fields, answer_from=answer_from)]
    write_problems(out, problems)
    typer.echo(f"{out}: {len(problems):,} problems")
