"""Train workers that die while they start are started again; a cluster that has no room for them is named."""

from types import SimpleNamespace

import pytest
from ray.train.v2._internal.exceptions import WorkerGroupStartupFailedError, WorkerGroupStartupTimeoutError
from ray.train.v2.api.exceptions import ControllerError

from mmst.config import ClusterConfig
from mmst.errors import GaveUp, InputError
from mmst.training import job


class Trainer:
    """Fails as it is told, each time that it is started, and then trains."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.names = list(failures), []

    def __call__(self, task, cluster, name: str) -> "Trainer":
        self.names.append(name)
        return self

    def fit(self) -> None:
        if self.failures:
            raise ControllerError(self.failures.pop(0))


def fit(monkeypatch, *failures: Exception) -> Trainer:
    trainer = Trainer(*failures)
    monkeypatch.setattr(job, "_trainer", trainer)
    job._fit(SimpleNamespace(), ClusterConfig(), "run")
    return trainer


def test_workers_that_died_while_they_started_are_started_again_under_another_name(monkeypatch) -> None:
    trainer = fit(monkeypatch, *[WorkerGroupStartupFailedError("killed")] * job.FAILURES)
    assert len(set(trainer.names)) == job.FAILURES + 1


def test_workers_that_die_each_time_end_training_with_the_reason(monkeypatch) -> None:
    with pytest.raises(GaveUp, match="train workers died 4 times while they started: killed"):
        fit(monkeypatch, *[WorkerGroupStartupFailedError("killed")] * (job.FAILURES + 1))


def test_workers_that_there_is_no_room_for_are_named_at_once(monkeypatch) -> None:
    with pytest.raises(InputError, match=r"1 train workers with \{'CPU': 1.0\} each could not be started within"):
        fit(monkeypatch, WorkerGroupStartupTimeoutError(1))
