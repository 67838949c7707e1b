"""What can't be served is refused before anything starts, and what dies on the way is asked again, but not for ever."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_llama import tiny_llama

from mmst.config import EngineConfig
from mmst.engine import Engine, EngineError
from mmst.errors import InputError
from mmst.records import Completion, Request


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_llama(tmp_path / "a", 1)


def fault(checkpoint: Path | str) -> str:
    with pytest.raises(InputError) as error:
        Engine.start("mmst-never", EngineConfig(), checkpoint)
    return str(error.value)


def test_a_directory_that_is_no_checkpoint_says_what_it_lacks(checkpoint: Path) -> None:
    assert "no such checkpoint" in fault(checkpoint / "missing")
    for file in checkpoint.glob("tokenizer*"):
        file.unlink()
    assert "has no tokenizer" in fault(checkpoint)
    (checkpoint / "model.safetensors").rename(checkpoint / "model.bin")
    assert "pickled weights are not loaded" in fault(checkpoint)
    (checkpoint / "config.json").unlink()
    assert "has no config.json" in fault(checkpoint)


def test_heads_that_vllm_cannot_compute_on_cpu_are_named(checkpoint: Path) -> None:
    path = checkpoint / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "head_dim": 16}))
    assert "attention heads of size 16" in fault(checkpoint)


class DyingReplicas:
    """Answers the first request of every chunk and dies, `deaths` times; then answers everything."""

    def __init__(self, deaths: int) -> None:
        self.deaths = deaths
        self.chunks: list[list[Request]] = []
        self.generate = SimpleNamespace(remote=self.answer)

    async def answer(self, generation: int, requests: list[Request]) -> AsyncIterator[list[tuple[int, Completion]]]:
        self.chunks.append(requests)
        for number, request in enumerate(requests):
            yield [(number, Completion(request.prompt.upper(), "stop", 1))]
            if self.deaths:
                self.deaths -= 1
                raise ConnectionError("the replica is gone")


def engine_over(replicas: DyingReplicas, monkeypatch: pytest.MonkeyPatch, **config: float) -> Engine:
    engine = Engine("mmst-none", EngineConfig(**config), print)
    monkeypatch.setattr(engine, "_handle", replicas)
    monkeypatch.setattr(engine, "_status", lambda: ("RUNNING", {"RUNNING": 1}, ""))
    return engine


async def test_what_a_dead_replica_owed_is_asked_again_with_the_same_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    replicas = DyingReplicas(deaths=2)
    engine = engine_over(replicas, monkeypatch)
    asked = [Request(word, seed, 1) for seed, word in enumerate("abcd")]
    answers = await asyncio.gather(*(engine.complete(request) for request in asked))
    assert [answer.text for answer in answers] == list("ABCD")
    assert engine.stats() == {"tokens": 4, "requests": 4, "retries": 3 + 2, "errors": 0}
    assert sorted(request.seed for request in replicas.chunks[1]) == [1, 2, 3]


async def test_after_the_last_try_the_error_names_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_over(DyingReplicas(deaths=2), monkeypatch, max_retries=1)
    asked = [engine.complete(Request(word, seed, 1)) for seed, word in enumerate("abc")]
    first, second, third = await asyncio.gather(*asked, return_exceptions=True)
    failed = [answer for answer in (first, second, third) if isinstance(answer, EngineError)]
    assert len(failed) == 1
    assert "seed 1 and prompt 'b' failed 2 times: ConnectionError: the replica is gone" in str(failed[0])


async def test_a_request_that_the_engine_fails_on_ends_as_an_error_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Refusing(DyingReplicas):
        async def answer(self, generation: int, requests: list[Request]) -> AsyncIterator[list[tuple[int, object]]]:
            self.chunks.append(requests)
            yield [(n, Completion("A", "stop", 1) if r.prompt else "too short") for n, r in enumerate(requests)]

    engine = engine_over(Refusing(deaths=0), monkeypatch, max_retries=2)
    good, bad = await asyncio.gather(engine.complete(Request("a", 0, 1)), engine.complete(Request("", 1, 1)))
    assert (good.text, bad) == ("A", Completion("", "error", 0))
    assert engine.stats() == {"tokens": 1, "requests": 2, "retries": 2, "errors": 1}
    assert "request with seed 1 and prompt '' failed 3 times: too short" in capsys.readouterr().out


async def test_requests_travel_in_chunks_and_no_more_than_the_replicas_take(monkeypatch: pytest.MonkeyPatch) -> None:
    replicas = DyingReplicas(deaths=0)
    engine = engine_over(replicas, monkeypatch, max_num_seqs=100)
    await asyncio.gather(*(engine.complete(Request("a", seed, 1)) for seed in range(250)))
    assert [len(chunk) for chunk in replicas.chunks[:2]] == [64, 36]
    assert max(map(len, replicas.chunks)) <= 64
    assert sum(map(len, replicas.chunks)) == 250


@pytest.mark.parametrize("grows", [True, False])
async def test_where_a_cluster_grows_a_replica_that_it_has_no_room_for_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, grows: bool
) -> None:
    room = asyncio.Event()

    class Displaced(DyingReplicas):
        async def answer(self, generation: int, requests: list[Request]) -> AsyncIterator[list[tuple[int, Completion]]]:
            if self.chunks:
                await room.wait()
            async for answers in super().answer(generation, requests):
                yield answers

    engine = engine_over(Displaced(deaths=1), monkeypatch, start_timeout=0.1)
    monkeypatch.setattr(engine, "_status", lambda: ("DEPLOYING", {"STARTING": 1}, "no node has room"))
    monkeypatch.setattr("mmst.engine.client.may_grow", lambda: grows)
    monkeypatch.setattr("ray.cluster_resources", lambda: {"CPU": 0.0})
    _, displaced = (asyncio.ensure_future(engine.complete(Request(word, 1, 1))) for word in "ab")
    await asyncio.wait([displaced], timeout=4)
    if grows:
        assert not displaced.done()
        room.set()
        assert (await displaced).text == "B"
    else:
        with pytest.raises(EngineError, match="no replica of mmst-none is left: no node has room"):
            await displaced
