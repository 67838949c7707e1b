"""Verifiers as Ray actors: right verdicts in batches, and a pool that survives the deaths of its members."""

import asyncio
import os
import signal
import sys

import pytest
from ray import cloudpickle

from mmst.actors import VerifierPool
from mmst.config import SandboxConfig
from mmst.methods.method import Method
from mmst.methods.prompts import TaskPrompt
from mmst.records import Completion, Verdict
from mmst.verify.answers import read_answer

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # verifiers cannot import this file
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


class Deadly(Method):
    """A method whose reader takes the verifier with it for one text, once or always."""

    name, view, task_prompt = "deadly", "none", TaskPrompt("", "", "")

    def answer(self, text, sandbox) -> Verdict:
        if text == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = read_answer(text)
        return Verdict("ok", answer.text, answer.key)

    def duplicate_key(self, text: str) -> str:
        return text


def done(text: str) -> Completion:
    return Completion(text, "stop", 1)


@pytest.fixture(scope="module")
def ray_here():
    import ray

    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


async def use(work):
    from mmst.methods import METHODS

    pool = VerifierPool([*METHODS.values(), Deadly()], SandboxConfig(), size=2)
    try:
        return await work(pool)
    finally:
        await pool.close()


def test_many_verdicts_come_back_each_to_its_own_question(ray_here) -> None:
    async def work(pool):
        return await asyncio.gather(*(pool.verify("pot", done(f"print({n} + 1)")) for n in range(300)))

    verdicts = asyncio.run(use(work))
    assert [verdict.answer for verdict in verdicts] == [str(n + 1) for n in range(300)]


def test_a_killed_verify_is_replaced_and_what_it_held_is_asked_again(ray_here) -> None:
    async def work(pool):
        import ray

        pending = [asyncio.ensure_future(pool.verify("pot", done(f"print({n})"))) for n in range(500)]
        await asyncio.sleep(0.05)
        ray.kill(pool._actors[0])
        return await asyncio.gather(*pending), pool.deaths

    verdicts, deaths = asyncio.run(use(work))
    assert [verdict.answer for verdict in verdicts] == [str(n) for n in range(500)]
    assert deaths <= 1


def test_what_takes_every_verify_with_it_is_crashed_and_its_neighbours_are_verified(ray_here) -> None:
    async def work(pool):
        texts = [str(n) for n in range(20)]
        texts[7] = "poison"
        return await asyncio.gather(*(pool.verify("deadly", done(text)) for text in texts)), pool.deaths

    verdicts, deaths = asyncio.run(use(work))
    assert verdicts[7].status == "crashed"
    assert all(verdict.status == "ok" for n, verdict in enumerate(verdicts) if n != 7)
    assert deaths == 3


def test_counts_add_up_over_the_verifiers(ray_here) -> None:
    async def work(pool):
        await asyncio.gather(*(pool.verify("pot", done(f"print({n})")) for n in range(40)))
        return await pool.counts()

    counts = asyncio.run(use(work))
    assert counts["fast"] + counts["lean"] + counts["sympy"] == 40
    assert counts["differences"] == 0
