"""Arms × seeds over one configuration. Finished arms are never repeated, and arms share round 0 where they can."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmst.experiments.definition import Experiment, read_experiment
from mmst.experiments.results import TRANSFER, collect
from mmst.experiments.summary import complements, had, on_related_task, pairs, summarise
from mmst.experiments.tables import page, plot
from mmst.files import write_json, write_text
from mmst.loop import OnRound, self_train
from mmst.problems.sets import read_sets
from mmst.progress import Reporter
from mmst.runs.directory import RoundDirectory, RunDirectory
from mmst.runs.opening import fork
from mmst.runs.status import status_of

__all__ = ["Experiment", "ExperimentResult", "read_experiment", "run_experiment", "write_results"]
SHARED = "round-0"


@dataclass(frozen=True)
class ExperimentResult:
    """The tables of an experiment and the directory that holds them.

    Attributes
    ----------
    directory
        Where `results.jsonl`, `table.md`, `table.json`, `plot.png` and the runs (`seed-<n>/<arm>/`) are.
    tables
        By name, as in `table.json`: `test` and `transfer` have accuracies and paired differences per arm and method
        with 95 % intervals, `pairs` the McNemar tests, `arms` what each arm had, `phi` how methods complement each
        other.
    rows
        The rows of `results.jsonl`: one per arm, seed and method, with the correctness of every test problem.
    """

    directory: Path
    tables: dict[str, list[dict[str, Any]]]
    rows: list[dict[str, Any]]


def run_experiment(
    experiment: Experiment, out: Path, report: Reporter, on_round: OnRound | None = None
) -> ExperimentResult:
    """Run what is not finished yet; the results in `out` are rewritten after every arm."""
    for seed in experiment.definition.seeds:
        directory = out / f"seed-{seed}"
        for name in experiment.definition.arms:
            root, shared = directory / name, directory / _shared_name(experiment, name)
            config = experiment.config(name, seed, _pool_limit(experiment, name, directory))
            if not (root / "config.yaml").exists():
                report.line(f"seed {seed}, round 0")
                self_train(experiment.round_zero(name, seed), shared.absolute(), report, on_round)
                fork(shared, root, config)
            report.line(f"seed {seed}, {name}")
            self_train(config, root.absolute(), report, on_round)
            write_results(experiment, out)
    if experiment.definition.transfer is not None:
        for seed in experiment.definition.seeds:
            _measure_transfer(experiment, out / f"seed-{seed}", seed, report)
    return write_results(experiment, out)


def write_results(experiment: Experiment, out: Path) -> ExperimentResult:
    """Collect the finished arms into `results.jsonl` and summarise them as `table.md`, `table.json` and `plot.png`."""
    rows = collect(experiment.definition, out)
    write_text(out / "results.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return write_summary(experiment, rows, out)


def write_summary(experiment: Experiment, rows: Sequence[Mapping[str, Any]], out: Path) -> ExperimentResult:
    """Write `table.md`, `table.json` and `plot.png` from the rows of `results.jsonl`."""
    control, method = experiment.definition.control, experiment.definition.control_method
    related = on_related_task(rows)
    tables = {
        "test": summarise(rows, control, method),
        "pairs": pairs(rows),
        "arms": had(rows),
        "transfer": summarise(related, control, method),
        "phi": complements(rows),
    }
    write_json(out / "table.json", tables)
    write_text(out / "table.md", page(tables, control))
    plot(rows, list(experiment.definition.arms), out / "plot.png")
    return ExperimentResult(out, tables, [dict(row) for row in rows])


def _shared_name(experiment: Experiment, arm: str) -> str:
    return SHARED if experiment.definition.round_zero == "shared" else f"{SHARED}-{experiment.sharing(arm)[0]}"


def _pool_limit(experiment: Experiment, arm: str, directory: Path) -> dict[str, int]:
    """The setting of an arm under `match_pool`: the pool that the other arm of the same seed ended with."""
    if arm not in experiment.definition.match_pool:
        return {}
    run = RunDirectory(directory / experiment.definition.match_pool[arm])
    held = _last(run).figures("promote")["round"]
    return {"training.pool_limit": max(1, next(r["pool"] for r in status_of(run)["rounds"] if r["round"] == held))}


def _last(run: RunDirectory) -> RoundDirectory:
    """The last finished round."""
    return [round_ for round_ in run.rounds() if round_.done("promote")][-1]


def _measure_transfer(experiment: Experiment, directory: Path, seed: int, report: Reporter) -> None:
    """Write `transfer.json` into every arm that has none yet."""
    from mmst.experiments.transfer import measure_transfer

    arms = [name for name in experiment.definition.arms if not (directory / name / TRANSFER).exists()]
    if not arms:
        return
    config = experiment.config(experiment.definition.control, seed, experiment.definition.transfer)
    checkpoints = {"before": RunDirectory(directory / arms[0]).round(0).checkpoint.resolve()}
    for name in arms:
        run = RunDirectory(directory / name)
        checkpoints[name] = (run.root / _last(run).figures("promote")["checkpoint"]).resolve()
    report.line(f"seed {seed}, transfer")
    problems = read_sets(config.problems, config.seed).test
    found = measure_transfer(config, problems, checkpoints, report)
    for name in arms:
        write_json(directory / name / TRANSFER, {"before": found["before"], "after": found[name]})
