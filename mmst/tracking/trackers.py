"""TensorBoard, Weights & Biases and MLflow, each by its own library, all writing below `tracking/` of the run."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping

from mmst.runs.directory import RunDirectory
from mmst.tracking.tracker import Tracker


class TensorBoard:
    """Event files; look at them with `tensorboard --logdir runs`."""

    def __init__(self, run: RunDirectory) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(run.root / "tracking" / "tensorboard"))

    def log(self, values: Mapping[str, float], axis: str, step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """Offline, unless WANDB_MODE says otherwise: `wandb sync` sends what it wrote. A resumed run is the same one."""

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


class MLflow:
    """A local file store, unless MLFLOW_TRACKING_URI names another place. A resumed run is the same one."""

    def __init__(self, run: RunDirectory) -> None:
        # Files need no database; MLflow wants to be told that this is meant.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow import MlflowClient

        place = os.environ.get("MLFLOW_TRACKING_URI") or (run.root / "tracking" / "mlflow").absolute().as_uri()
        self._client = MlflowClient(place)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "mmst")
        experiment = self._client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else self._client.create_experiment(name)
        root = str(run.root)
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
