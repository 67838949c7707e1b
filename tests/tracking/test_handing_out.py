"""Figures reach Ray's metrics and trackers as the run directory has them; a tracker that fails never stops a run."""

import json
import re
import struct
from pathlib import Path

import pytest
from small_run import small_run

from mmst.runs.directory import RunDirectory
from mmst.tracking import Figures, trackers
from mmst.tracking.trackers import METRICS, flat, on_point, on_progress, on_stage

GRAFANA = Path(__file__).parents[2] / "dashboard" / "grafana" / "mmst.json"
PROGRESS = {
    "round": 1, "stage": "generate", "done": 5, "total": 10, "tokens": 50, "per_second": 2.0,
    "tokens_per_second": 20.0, "resources": {"nodes": 1, "cpus": 2, "replicas": 1, "in_flight": 3, "waiting": 4},
}  # fmt: skip
POINTS = [{"step": step, "loss": 1.0 / step, "learning_rate": 0.1, "tokens": 7, "seconds": 0.5} for step in (1, 2, 3)]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return small_run(tmp_path / "small")


def hand_out(run: RunDirectory, *names: str) -> list[str]:
    """Hand out all that a run has, as the loop does; returns what was said."""
    said: list[str] = []
    figures = Figures(run, names, said.append)
    for round_ in run.rounds():
        for point in POINTS:
            figures.point(round_.number, "train", point)
        for stage in ("generate", "filter", "train", "evaluate", "promote"):
            if round_.done(stage):
                figures.stage(round_, stage)
    figures.progress(PROGRESS)
    figures.close()
    return said


def test_every_sample_is_of_a_metric_that_is_declared_and_every_metric_comes_out_of_a_run(run) -> None:
    samples = [*on_progress(PROGRESS), *on_point(1, "train", POINTS[0])]
    for round_ in run.rounds():
        for stage in ("generate", "filter", "train", "evaluate", "promote"):
            samples += on_stage(round_.number, stage, round_.manifest(stage) or {"figures": {}})
    for sample in samples:
        assert set(sample.tags) == set(METRICS[sample.name].tags), sample
    assert {sample.name for sample in samples} == set(METRICS)


def test_accuracies_carry_method_and_set(run) -> None:
    samples = on_stage(1, "evaluate", run.round(1).manifest("evaluate"))
    found = {(s.tags["set"], s.tags["method"]): s.value for s in samples if s.name == "mmst_accuracy"}
    assert found["test", "cot"] == found["dev", "vote"] == 1.0
    assert {s.tags["set"] for s in samples if s.name == "mmst_accuracy"} == {"dev", "test"}


def exported(name: str) -> str:
    return f"ray_{name}" + ("_total" if METRICS[name].kind == "counter" else "")


def test_the_grafana_file_shows_every_metric_and_names_no_other_and_no_other_tag() -> None:
    page = json.loads(GRAFANA.read_text())
    targets = [target for panel in page["panels"] for target in panel["targets"]]
    shown = {name for target in targets for name in re.findall(r"ray_mmst_\w+", target["expr"])}
    assert shown == {exported(name) for name in METRICS}
    for target in targets:
        (name,) = re.findall(r"ray_mmst_\w+", target["expr"])
        metric = METRICS[name.removeprefix("ray_").removesuffix("_total")]
        used = re.findall(r"(\w+)=", target["expr"]) + re.findall(r"{{(\w+)}}", target["legendFormat"])
        assert set(used) <= {"run", *metric.tags}, target
    places = [tuple(panel["gridPos"].values()) for panel in page["panels"]]
    assert len(set(places)) == len(places)
    assert "ray_mmst_round" in page["templating"]["list"][1]["definition"]


def scalars(directory: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars of TensorBoard's event files: records of a length, its checksum, the event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(directory.glob("events.*")):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 12 + length + 4
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_tensorboard_event_files_have_the_curves(run) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX comes with ray[train]")
    assert hand_out(run, "tensorboard") == []
    found = scalars(run.root / "tracking" / "tensorboard")
    assert found["evaluate/test.accuracy.cot"] == [(0, 0.5), (1, 1.0)]
    assert found["round-001/train/loss"] == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert found["promote/promoted"] == [(0, 1.0), (1, 1.0)]


def test_weights_and_biases_writes_offline(run, monkeypatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'mmst[tracking]'")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    assert hand_out(run, "wandb") == []
    (offline,) = (run.root / "tracking" / "wandb").glob("offline-run-*")
    (record,) = offline.glob("run-*.wandb")
    content = record.read_bytes()
    assert b"evaluate/test.accuracy.cot" in content
    assert b"round-001/train/loss" in content


def test_mlflow_keeps_one_run_in_a_local_file_store_even_when_it_is_resumed(run, monkeypatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed: pip install 'mmst[tracking]'")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert hand_out(run, "mlflow") == []
    assert hand_out(run, "mlflow") == []
    client = mlflow.MlflowClient((run.root / "tracking" / "mlflow").absolute().as_uri())
    experiment = client.get_experiment_by_name("mmst")
    (kept,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(kept.info.run_id, "evaluate/test.accuracy.cot")
    assert {(point.step, point.value) for point in history} == {(0, 0.5), (1, 1.0)}
    assert kept.info.status == "FINISHED"


class Broken(trackers.Tracker):
    """A tracker whose disk is full at the second line."""

    def __init__(self, run: RunDirectory) -> None:
        self.logged = 0

    def log(self, values: object, axis: str, step: int) -> None:
        self.logged += 1
        if self.logged == 2:
            raise OSError("No space left on device")
        assert self.logged < 2, "a tracker that failed is asked again"

    def close(self) -> None:
        raise AssertionError("a tracker that failed is asked again")


def missing(run: RunDirectory) -> None:
    raise ModuleNotFoundError("No module named 'wandb'")


def test_a_tracker_that_fails_is_said_once_and_stops_nothing(run, monkeypatch) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX comes with ray[train]")
    monkeypatch.setitem(trackers.TRACKERS, "mlflow", Broken)
    monkeypatch.setitem(trackers.TRACKERS, "wandb", missing)
    assert hand_out(run, "mlflow", "wandb", "tensorboard") == [
        "tracking: wandb is left out from here on: No module named 'wandb' (pip install 'mmst[tracking]')",
        "tracking: mlflow is left out from here on: No space left on device",
    ]
    assert "evaluate/test.accuracy.cot" in scalars(run.root / "tracking" / "tensorboard")


def test_nested_figures_become_dotted_numbers() -> None:
    nested = {"a": {"b": 1, "c": True}, "d": [0.1, 0.2], "e": "text", "f": None, "g": 2.5}
    assert dict(flat(nested)) == {"a.b": 1.0, "a.c": 1.0, "g": 2.5}
