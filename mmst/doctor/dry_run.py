"""What a run would do and need, without doing it: the resolved configuration, its problems, its memory."""

from __future__ import annotations

from pathlib import Path

import typer

from mmst.config import Config
from mmst.config.file import dump_config
from mmst.methods import methods_of
from mmst.problems.sets import read_sets
from mmst.runs.opening import check_resumable
from mmst.stages.preflight import check_model, check_teacher


def check(config: Config, root: Path) -> None:
    """Print it all. Raises InputError for whatever `mmst run` would refuse, and for memory that cannot suffice."""
    from mmst.training.memory import estimate

    methods_of(config)
    check_model(config.model)
    check_teacher(config.teacher)
    goes_on = check_resumable(root, config)
    typer.echo(dump_config(config))
    typer.echo(f"# {root}: {'would go on with the run there' if goes_on else 'a new run'}")
    typer.echo(f"# {_problems(config)}")
    memory = estimate(config.model, config.training, config.cluster, config.engine)
    typer.echo("\n".join(f"# {line}" for line in memory.describe().splitlines()))
    memory.refuse()


def _problems(config: Config) -> str:
    source = config.problems.train
    if source is not None and not Path(source).exists() and not _looks_like_file(source):
        return f"problems: {source} would be read from the hub"
    sets = read_sets(config.problems, config.seed)
    counts = ", ".join(f"{len(problems):,} {name}" for name, problems in sets.by_name().items())
    return f"problems: {counts}"


def _looks_like_file(source: str) -> bool:
    return source.endswith((".jsonl", ".json", ".parquet")) or source.startswith((".", "/"))
