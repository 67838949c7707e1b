"""Inside a Ray actor, where alarms fail and forking is not allowed, verdicts are the same."""

import os
import sys

import pytest

ray = pytest.importorskip("ray", reason="ray is not installed")
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # actors cannot import this file

SUM, SAME, OTHER = r"\sum_{k=1}^{n} k a_k", r"\sum_{k=1}^{n} a_k k", r"\sum_{k=1}^{n} k a_{k+1}"


class Verifier:
    """An actor that owns a comparer."""

    def __init__(self) -> None:
        from mmst.verify.answers import Comparer

        self.comparer = Comparer(workers=1, seconds=30)

    def equal(self, gold: str, prediction: str) -> bool | None:
        return self.comparer.compare(gold, prediction).equal

    def worker(self) -> int:
        process = self.comparer._all[0].process
        assert process is not None
        return process.pid


@pytest.mark.e2e
def test_a_comparer_inside_an_actor_verifies_and_leaves_no_process() -> None:
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        verify = ray.remote(Verifier).options(num_cpus=0, max_concurrency=4).remote()
        pairs = [("18", "18.0"), (SUM, SAME), (SUM, OTHER)]
        verdicts = ray.get([verify.equal.remote(*pair) for pair in pairs], timeout=120)
        assert verdicts == [True, True, False]
        pid = ray.get(verify.worker.remote())
        ray.kill(verify)
    finally:
        ray.shutdown()
    _wait_until_gone(pid)


def _wait_until_gone(pid: int) -> None:
    import psutil

    try:
        psutil.Process(pid).wait(timeout=30)
    except psutil.NoSuchProcess:
        return
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
