"""Arms × seeds over one configuration: what is finished is never done again, arms share round 0 where they can."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmst.config import Config
from mmst.config.file import build_config, with_settings
from mmst.errors import InputError
from mmst.experiment.results import TRANSFER, collect, complements, summarise
from mmst.experiment.tables import complement_markdown, markdown, plot, rich_table
from mmst.files import write_json, write_text
from mmst.loop import OnRound, self_train
from mmst.problems.sets import read_sets
from mmst.progress import Reporter
from mmst.runs.directory import RunDirectory
from mmst.runs.opening import fork
from mmst.runs.status import status_of

SHARED = "round-0"


class Experiment(BaseModel):
    """One file of `experiments/`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    base: str
    """Configuration file, relative to this one."""
    seeds: list[int] = Field(min_length=1)
    """Every arm is run once with each."""
    seed_keys: list[str] = ["seed"]
    """Configuration keys that a seed is put into."""
    control: str
    """The arm that the others are compared with, seed by seed."""
    control_method: str | None = None
    """The control's method that every other method is compared with too; none compares each method with itself."""
    round_zero: Literal["shared", "own"] = "shared"
    """`shared`: all arms begin with one round 0, and one that differs in what it depends on is a mistake. `own`: arms
    with different settings get one of their own, those with equal settings share."""
    set: dict[str, Any] = {}
    """Settings of all arms, by dotted key."""
    transfer: dict[str, Any] | None = None
    """Settings, by dotted key, that turn the problems into a related task whose test problems no arm learns from; the
    checkpoint that every arm ends with is measured on them, beside its round 0."""
    scaled: list[str] = []
    """Settings, by dotted key, that `--scale` multiplies, for real hardware."""
    match_pool: dict[str, str] = {}
    """Arms whose `training.pool_limit` is the number of solutions that another arm kept with the same seed, such as
    `mmst_cut: cot_only`. The other arm must come earlier in `arms`."""
    arms: dict[str, dict[str, Any]] = Field(min_length=1)
    """Settings of each arm, by dotted key. Those that round 0 depends on must not differ where it is shared."""


def run_experiment(
    file: Path, out: Path, report: Reporter, scale: float = 1.0, on_round: OnRound | None = None
) -> None:
    """Run what is not done yet; `results.jsonl`, `table.md` and `plot.png` in `out` grow with every finished arm.

    `scale` multiplies the settings that the file names as `scaled`. Raises InputError for a bad file, an unknown
    control, and arms that don't share round 0.
    """
    experiment = read_experiment(file)
    if scale != 1.0:
        experiment = experiment.model_copy(
            update={"set": {**experiment.set, **scaled_settings(experiment, file, scale)}}
        )
    for seed in experiment.seeds:
        for name in experiment.arms:
            root = out / f"seed-{seed}" / name
            more = pool_limit(experiment, name, out / f"seed-{seed}")
            config = arm_config(experiment, file, name, seed, more)
            group = sharing(experiment, file, name)
            shared = out / f"seed-{seed}" / (SHARED if experiment.round_zero == "shared" else f"{SHARED}-{group[0]}")
            if not (root / "config.yaml").exists():
                report.line(f"seed {seed}, round 0")
                self_train(_only_round_zero(experiment, file, group, seed), shared.absolute(), report, on_round)
                fork(shared, root, config)
            report.line(f"seed {seed}, {name}")
            self_train(config, root.absolute(), report, on_round)
            write_results(experiment, out)
    if experiment.transfer is not None:
        for seed in experiment.seeds:
            _measure_transfer(experiment, file, out / f"seed-{seed}", seed, report)
    for name, table in write_results(experiment, out).items():
        report.console.print(rich_table(table, name))


def write_results(experiment: Experiment, out: Path) -> dict[str, list[dict[str, Any]]]:
    """Write what is finished so far as `results.jsonl`, `table.md`, `table.json` and `plot.png`; returns the tables."""
    results = collect(experiment.seeds, experiment.arms, out)
    tables = {"test problems": summarise(results, experiment.control, experiment.control_method)}
    related = [{**row, "slices": {}, **row["transfer"]} for row in results if row["transfer"]]
    if related:
        tables["the related task, never trained on"] = summarise(related, experiment.control, experiment.control_method)
    write_text(out / "results.jsonl", "".join(json.dumps(row) + "\n" for row in results))
    write_json(out / "table.json", tables)
    written = [f"On {name}:\n\n{markdown(table)}" for name, table in tables.items()]
    if pairs := complements(results):
        written.append(
            f"How alike two methods are (phi of their successes), and what each gains:\n\n{complement_markdown(pairs)}"
        )
    write_text(out / "table.md", "\n".join(written))
    plot(results, list(experiment.arms), out / "plot.png")
    return tables


def read_experiment(file: Path) -> Experiment:
    """Read and check an experiment file. Raises InputError."""
    try:
        experiment = Experiment.model_validate(yaml.safe_load(file.read_text()))
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise InputError(f"{file}: {error}") from error
    if experiment.control not in experiment.arms:
        raise InputError(f"{file}: `control`: there is no arm `{experiment.control}`")
    names = list(experiment.arms)
    for arm, other in experiment.match_pool.items():
        if arm not in names or other not in names[: names.index(arm)]:
            raise InputError(f"{file}: `match_pool.{arm}`: `{other}` must be an arm that comes before `{arm}`")
    if experiment.transfer is not None and experiment.round_zero == "own":
        raise InputError(f"{file}: `transfer` is measured against a shared round 0; leave it or `round_zero: own` out")
    if experiment.round_zero == "shared":
        together = sharing(experiment, file, experiment.control)
        for name in experiment.arms:
            if name not in together:
                raise InputError(
                    f"{file}: `arms.{name}`: differs in what round 0 depends on, so it cannot be shared; "
                    "`round_zero: own` gives it one of its own"
                )
    return experiment


def arm_config(
    experiment: Experiment, file: Path, arm: str, seed: int, more: Mapping[str, Any] | None = None
) -> Config:
    """The configuration of one arm with one seed; `more` are further settings."""
    base = file.parent / experiment.base
    try:
        tree = yaml.safe_load(base.read_text())
    except OSError as error:
        raise InputError(f"{file}: `base`: {base} cannot be read ({error.strerror})") from error
    seeds = dict.fromkeys(experiment.seed_keys, seed)
    values = {**experiment.set, **experiment.arms[arm], **seeds, **(more or {})}
    settings = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    return build_config(with_settings(tree, settings), f"{file}, arm {arm}")


def pool_limit(experiment: Experiment, arm: str, directory: Path) -> dict[str, int]:
    """The setting of an arm under `match_pool`: the pool that the other arm of the same seed ended with."""
    if arm not in experiment.match_pool:
        return {}
    run = RunDirectory(directory / experiment.match_pool[arm])
    held = [round_ for round_ in run.rounds() if round_.done("promote")][-1].figures("promote")["round"]
    return {"training.pool_limit": max(1, next(r["pool"] for r in status_of(run)["rounds"] if r["round"] == held))}


def scaled_settings(experiment: Experiment, file: Path, scale: float) -> dict[str, int]:
    """The settings under `scaled`, multiplied; raises InputError for one that is no number."""
    tree = arm_config(experiment, file, experiment.control, experiment.seeds[0]).model_dump()
    result = {}
    for key in experiment.scaled:
        value: Any = tree
        for name in key.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if not isinstance(value, int):
            raise InputError(f"{file}: `scaled`: {key} is {value!r}, no whole number to multiply")
        result[key] = max(1, round(value * scale))
    return result


def sharing(experiment: Experiment, file: Path, arm: str) -> list[str]:
    """The arms that share a round 0 with this one, itself included, in the order of the file."""
    seed = experiment.seeds[0]
    part = _round_zero_part(arm_config(experiment, file, arm, seed))
    return [name for name in experiment.arms if _round_zero_part(arm_config(experiment, file, name, seed)) == part]


def _only_round_zero(experiment: Experiment, file: Path, arms: Sequence[str], seed: int) -> Config:
    """The round 0 that arms share: the configuration of the control, or of the first arm, without rounds."""
    arm = experiment.control if experiment.control in arms else arms[0]
    config = arm_config(experiment, file, arm, seed)
    return config.model_copy(update={"rounds": config.rounds.model_copy(update={"max": 0})})


def _round_zero_part(config: Config) -> dict[str, Any]:
    tree = config.model_dump()
    own = {} if config.round0.schedule and config.round0.mixture is not None else tree["training"]
    roles = tree["socratic"] if "socratic" in config.methods else None
    parts = ("problems", "model", "round0", "seed", "evaluation")
    return {key: tree[key] for key in parts} | {"training": own, "socratic": roles}


def _measure_transfer(experiment: Experiment, file: Path, directory: Path, seed: int, report: Reporter) -> None:
    """Write `transfer.json` into every arm that has none yet."""
    from mmst.experiment.transfer import measure_transfer

    arms = [name for name in experiment.arms if not (directory / name / TRANSFER).exists()]
    if not arms:
        return
    config = arm_config(experiment, file, experiment.control, seed, experiment.transfer)
    checkpoints = {"before": RunDirectory(directory / arms[0]).round(0).checkpoint.resolve()}
    for name in arms:
        run = RunDirectory(directory / name)
        last = [round_ for round_ in run.rounds() if round_.done("promote")][-1]
        checkpoints[name] = (run.root / last.figures("promote")["checkpoint"]).resolve()
    report.line(f"seed {seed}, transfer")
    found = measure_transfer(config, read_sets(config.problems, config.seed).test, checkpoints, report)
    for name in arms:
        write_json(directory / name / TRANSFER, {"before": found["before"], "after": found[name]})
