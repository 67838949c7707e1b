"""A replica answers every request of a chunk, whatever its engine does; if the engine hangs, the replica ends."""

import asyncio
from types import SimpleNamespace

import pytest

from mmst.config import EngineConfig
from mmst.engine import deployment
from mmst.engine.deployment import Answer, Replica
from mmst.records import Completion, Request

pytestmark = pytest.mark.timeout(60)


class Ended(BaseException):
    """The replica ended its process."""


@pytest.fixture
def replica(monkeypatch: pytest.MonkeyPatch) -> Replica:
    """A replica whose engine answers with the prompt, raises for `fail`, and never answers `hang`."""

    async def complete(request: Request) -> Completion:
        if request.prompt == "fail":
            raise LookupError("vLLM raises exceptions of its own")
        await asyncio.sleep(float(request.prompt) if request.prompt != "hang" else 3600)
        return Completion(request.prompt, "stop", 1)

    def end(code: int) -> None:
        raise Ended

    for name in ("OMP_NUM_THREADS", "VLLM_CPU_OMP_THREADS_BIND", "VLLM_LOGGING_LEVEL", "VLLM_NO_USAGE_STATS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "")
    monkeypatch.setattr(deployment, "_PATIENCE", 0.1)
    monkeypatch.setattr("os._exit", end)
    replica = Replica(EngineConfig(token_timeout=0.1))
    monkeypatch.setattr(replica, "_engine", SimpleNamespace(errored=False, shutdown=lambda timeout: None))
    monkeypatch.setattr(replica, "_generation", 1)
    monkeypatch.setattr(replica, "_complete", complete)
    return replica


async def answers_of(replica: Replica, *prompts: str) -> list[Answer]:
    requests = [Request(prompt, 0, 1) for prompt in prompts]
    return [answer async for answers in replica.generate(1, requests) for answer in answers]


async def test_any_exception_of_the_engine_is_an_answer(replica: Replica) -> None:
    found = dict(await answers_of(replica, "0", "fail", "0"))
    assert found[1] == "LookupError: vLLM raises exceptions of its own"
    assert found[0] == found[2] == Completion("0", "stop", 1)


async def test_a_dead_engine_ends_the_replica(replica: Replica) -> None:
    replica._engine.errored = True
    with pytest.raises(Ended):
        await replica._answer(0, Request("fail", 0, 1), asyncio.Queue())


async def test_an_engine_that_answers_nothing_ends_the_replica(replica: Replica) -> None:
    with pytest.raises(Ended):
        await answers_of(replica, "hang")


async def test_a_chunk_may_take_long_while_the_engine_answers_others(replica: Replica) -> None:
    async def others() -> None:
        for _ in range(8):
            await answers_of(replica, "0.05")

    slow, _ = await asyncio.gather(answers_of(replica, "0.4"), others())
    assert slow == [(0, Completion("0.4", "stop", 1))]
