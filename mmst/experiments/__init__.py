"""Arms × seeds over one configuration. Finished arms are never repeated, and arms share round 0 where they can."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmst.experiments.definition import Experiment, read_experiment
from mmst.experiments.results import collect
from mmst.experiments.summary import complements, had, on_related_task, pairs, summarise
from mmst.experiments.tables import page, plot
from mmst.experiments.transfer import last_round, measure_transfer
from mmst.files import write_json, write_text
from mmst.loop import OnRound, self_train
from mmst.progress import Reporter
from mmst.results import ExperimentResult
from mmst.runs.directory import RunDirectory
from mmst.runs.opening import fork
from mmst.runs.status import status_of

__all__ = ["Experiment", "read_experiment", "run_experiment", "write_results", "write_summary"]
SHARED = "round-0"


def run_experiment(
    experiment: Experiment, out: Path, report: Reporter, on_round: OnRound | None = None
) -> ExperimentResult:
    """Run what is not finished yet; the results in `out` are rewritten after every arm."""
    for seed in experiment.seeds:
        directory = out / f"seed-{seed}"
        for name in experiment.arms:
            root, shared = directory / name, directory / _shared_name(experiment, name)
            config = experiment.config(name, seed, _pool_limit(experiment, name, directory))
            if not (root / "config.yaml").exists():
                report.line(f"seed {seed}, round 0")
                self_train(experiment.only_round_zero(name, seed), shared.absolute(), report, on_round)
                fork(shared, root, config)
            report.line(f"seed {seed}, {name}")
            self_train(config, root.absolute(), report, on_round)
            write_results(experiment, out)
    if experiment.transfer is not None:
        for seed in experiment.seeds:
            measure_transfer(experiment, out / f"seed-{seed}", seed, report)
    return write_results(experiment, out)


def write_results(experiment: Experiment, out: Path) -> ExperimentResult:
    """Collect the finished arms into `results.jsonl` and summarise them as `table.md`, `table.json` and `plot.png`."""
    rows = collect(experiment, out)
    write_text(out / "results.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return write_summary(experiment, rows, out)


def write_summary(experiment: Experiment, rows: Sequence[Mapping[str, Any]], out: Path) -> ExperimentResult:
    """Write `table.md`, `table.json` and `plot.png` from the rows of `results.jsonl`."""
    control, method = experiment.control, experiment.control_method
    tables = {
        "test": summarise(rows, control, method),
        "pairs": pairs(rows),
        "arms": had(rows),
        "transfer": summarise(on_related_task(rows), control, method),
        "phi": complements(rows),
    }
    write_json(out / "table.json", tables)
    write_text(out / "table.md", page(tables, control))
    plot(rows, list(experiment.arms), out / "plot.png")
    return ExperimentResult(out, tables, [dict(row) for row in rows])


def _shared_name(experiment: Experiment, arm: str) -> str:
    return SHARED if experiment.round_zero == "shared" else f"{SHARED}-{experiment.sharing(arm)[0]}"


def _pool_limit(experiment: Experiment, arm: str, directory: Path) -> dict[str, int]:
    """The setting of an arm under `match_pool`: the pool that the other arm of the same seed ended with."""
    if arm not in experiment.match_pool:
        return {}
    run = RunDirectory(directory / experiment.match_pool[arm])
    held = last_round(run).figures("promote")["round"]
    return {"training.pool_limit": max(1, next(r["pool"] for r in status_of(run)["rounds"] if r["round"] == held))}
