"""`mmst run --dry-run`: what a run would do and need, or why it would be refused."""

from __future__ import annotations

from pathlib import Path

import typer

from mmst.config import Config
from mmst.config.file import dump_config
from mmst.methods import methods_of
from mmst.problems.sets import ProblemSets, read_sets
from mmst.runs.opening import check_fork, check_resumable
from mmst.stages.prepare import check_problems, check_settings


def check(config: Config, root: Path, fork: Path | None = None, from_round: int = 0) -> None:
    """Print the verdict, then the resolved configuration as YAML.

    Raises InputError for everything that `mmst run` would refuse before or while it works, as far as that can be known
    without starting Ray, and for a model that cannot fit into memory.
    """
    from mmst.training.memory import estimate
    from mmst.training.sizes import UnknownSizes

    methods_of(config)
    check_settings(config)
    resumes = check_resumable(root, config)
    if fork is not None and not resumes:
        check_fork(fork, root, config, from_round)
    sets = _sets(config)
    if sets is not None:
        check_problems(config, sets)
    memory = None
    try:
        memory = estimate(config.model, config.training, config.cluster, config.engine)
        described = memory.describe()
    except UnknownSizes as error:
        described = f"memory: unknown, since the model's configuration could not be downloaded: {error}"
    counts = {name: f"{len(problems):,} {name}" for name, problems in sets.by_name().items()} if sets else {}
    details = [f"problems: {', '.join(counts.values()) or f'{config.problems.train}, which is on the hub: not read'}"]
    try:
        if memory is not None:
            memory.refuse()
        details.insert(0, f"OK: mmst run would {'resume the run' if resumes else 'start a new run'} in {root}")
    finally:
        typer.echo("\n".join(f"# {line}" for line in [*details, *described.splitlines()]))
    typer.echo(dump_config(config), nl=False)


def _sets(config: Config) -> ProblemSets | None:
    """The sets of problems; None if reading them would download them."""
    source = config.problems.train
    if source is None or source.startswith((".", "/")) or Path(source).exists():
        return read_sets(config.problems, config.seed)
    return read_sets(config.problems, config.seed) if source.endswith((".jsonl", ".json", ".parquet")) else None
