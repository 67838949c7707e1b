"""Each role's rows train its own checkpoint; its card says how to prompt it and where the other roles are."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import mmst.training
from mmst.config.file import build_config
from mmst.methods import methods_of
from mmst.methods.card import read_card, role_of
from mmst.problems.synthetic import SyntheticSpec, make_sets
from mmst.progress import Reporter
from mmst.records import TrainingRow
from mmst.runs.directory import RunDirectory
from mmst.runs.tables import read_table
from mmst.stages.context import StageContext
from mmst.stages.train import train
from mmst.training import TrainingRequest, TrainingResult

RESULT = TrainingResult(1, 1, {}, [], 1, 1, 0, {}, 1.0)


@pytest.fixture
def fits(monkeypatch) -> list[TrainingRequest]:
    """The requests to train, whose checkpoints are only directories."""
    requests: list[TrainingRequest] = []

    def fit(request: TrainingRequest, on_step) -> TrainingResult:
        requests.append(request)
        request.output.mkdir(parents=True)
        (request.output / "config.json").write_text("{}")
        return RESULT

    monkeypatch.setattr(mmst.training, "train", fit)
    return requests


def trained(root: Path, models: str) -> tuple[StageContext, RunDirectory]:
    spec = SyntheticSpec(train=4, dev=2, test=3, annotated=20)
    tree = {
        "problems": {"synthetic": spec.model_dump()},
        "methods": ["socratic"],
        "socratic": {"models": models},
        "model": {"scratch": {"width": 32, "layers": 1, "heads": 1}},
    }
    config = build_config(tree)
    run = RunDirectory(root)
    runtime = SimpleNamespace(make_room_for_training=lambda: None, cluster=lambda: None)
    methods = methods_of(config)
    context = StageContext(config, run, make_sets(spec), methods, runtime, Reporter())  # type: ignore[arg-type]
    train(context, run.round(0))
    return context, run


def test_two_models_are_trained_apart_from_the_same_start(tmp_path, fits) -> None:
    _, run = trained(tmp_path, "two")
    solver, decomposer = fits
    assert (solver.role, decomposer.role) == ("solver", "decomposer")
    assert solver.start == decomposer.start == run.round(0).root / "checkpoints" / "initial"
    assert solver.seed != decomposer.seed
    rows = list(read_table(run.round(0).pool, TrainingRow))
    assert {(row.role, row.task) for row in rows} == {
        ("decomposer", "socratic/decompose"),
        ("solver", "socratic/solve"),
    }
    checkpoint = run.round(0).checkpoint
    assert role_of(checkpoint, "decomposer") == checkpoint.with_name("decomposer")
    assert role_of(checkpoint, "solver") == checkpoint
    card = read_card(checkpoint)
    assert card["settings"]["socratic"]["models"] == "two"
    assert run.round(0).figures("train")["roles"]["decomposer"]["steps"] == 1
    parts = [path.name for path in run.round(0).part_paths("train")]
    assert parts == ["pool.parquet", "solver", "decomposer"]


def test_one_model_learns_all_rows(tmp_path, fits) -> None:
    _, run = trained(tmp_path, "one")
    (solver,) = fits
    assert solver.role is None
    assert role_of(run.round(0).checkpoint, "decomposer") == run.round(0).checkpoint
