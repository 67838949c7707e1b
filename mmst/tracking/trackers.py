"""TensorBoard, Weights & Biases and MLflow through their own libraries; all write to `tracking/` in the run.

accelerate has trackers too, but they need its PartialState, and with it torch, in the driver.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmst.runs.directory import RunDirectory


class Tracker:
    """Takes the figures of a run. Subclasses write curves in `log`."""

    def stage(self, round_: int, stage: str, manifest: Mapping[str, Any]) -> None:
        """Take the figures of a finished stage from its manifest."""
        figures = {**manifest.get("figures", {}), "seconds": manifest.get("seconds")}
        self.log({f"{stage}/{name}": value for name, value in flat(figures)}, "round", round_)

    def point(self, round_: int, stage: str, point: Mapping[str, float]) -> None:
        """Take a point of a curve: values and their `step`."""
        curve = f"round-{round_:03d}/{stage}"
        values = {f"{curve}/{name}": value for name, value in flat(point) if name != "step"}
        self.log(values, f"{curve}/step", int(point["step"]))

    def progress(self, state: Mapping[str, Any]) -> None:
        """Take the content of `progress.json`."""

    def log(self, values: Mapping[str, float], axis: str, step: int) -> None:
        """Write values at `step` of the axis that they share."""

    def close(self) -> None:
        """Flush and close."""


def flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in nested figures by dotted name; booleans count as 1 and 0, other values are skipped."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", float(value)


class TensorBoard(Tracker):
    """Event files, to view with `tensorboard --logdir runs`."""

    def __init__(self, run: RunDirectory) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(run.root / "tracking" / "tensorboard"))

    def log(self, values: Mapping[str, float], axis: str, step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases(Tracker):
    """Offline unless WANDB_MODE says otherwise; `wandb sync` uploads. A resumed run continues its W&B run."""

    def __init__(self, run: RunDirectory) -> None:
        import wandb

        directory = run.root / "tracking"
        directory.mkdir(exist_ok=True)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "mmst"),
            name=run.root.name,
            id=hashlib.blake2b(str(run.root).encode(), digest_size=8).hexdigest(),
            dir=str(directory),
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=wandb.Settings(silent=True, console="off"),
        )

    def log(self, values: Mapping[str, float], axis: str, step: int) -> None:
        for name in values:
            self._run.define_metric(name, step_metric=axis)
        self._run.log({**values, axis: step})

    def close(self) -> None:
        import wandb

        self._run.finish()
        wandb.teardown()  # offline, finish (0.31) returns before its service has written everything


class MLflow(Tracker):
    """A local file store unless MLFLOW_TRACKING_URI says otherwise. A resumed run continues its MLflow run."""

    def __init__(self, run: RunDirectory) -> None:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # else MLflow demands a database
        from mlflow import MlflowClient

        place = os.environ.get("MLFLOW_TRACKING_URI") or (run.root / "tracking" / "mlflow").absolute().as_uri()
        self._client = MlflowClient(place)
        name, root = os.environ.get("MLFLOW_EXPERIMENT_NAME", "mmst"), str(run.root)
        experiment = self._client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else self._client.create_experiment(name)
        found = [r for r in self._client.search_runs([number]) if r.data.tags.get("mmst.run") == root]
        opened = found[0] if found else self._client.create_run(number, tags={"mmst.run": root}, run_name=run.root.name)
        self._id = opened.info.run_id

    def log(self, values: Mapping[str, float], axis: str, step: int) -> None:
        for name, value in values.items():
            self._client.log_metric(self._id, re.sub(r"[^\w./ -]", "_", name), value, step=step)

    def close(self) -> None:
        self._client.set_terminated(self._id)


TRACKERS: dict[str, Callable[[RunDirectory], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
