"""The engine as the loop uses it: one Ray, one application, real vLLM, real processes."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tiny_llama import prompts, tiny_llama

from mmst.config import EngineConfig
from mmst.engine import Engine, EngineError
from mmst.processes import process_stat
from mmst.records import Completion, Request
from mmst.stages.session import ray_session
from mmst.weight_check import compute_weight_check, write_weight_check

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SAMPLED = [Request(prompt, seed, 30, 0.9) for seed, prompt in enumerate(prompts(200, 20))]


EMPTY = ""
"""Encoded as no token at all, since the tokenizer adds no beginning of text; vLLM refuses that."""


class Driver:
    """An engine and the event loop that asks it."""

    def __init__(self, engine: Engine, runner: asyncio.Runner) -> None:
        self.engine, self.runner = engine, runner

    def ask(self, requests: list[Request]) -> list[Completion]:
        return self.runner.run(self._ask(requests))

    async def _ask(self, requests: list[Request]) -> list[Completion]:
        return list(await asyncio.gather(*(self.engine.complete(request) for request in requests)))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    made = {"one": (1, False), "two": (2, False), "tied one": (1, True), "tied two": (2, True)}
    return {name: tiny_llama(root / name.replace(" ", "-"), seed, tied=tied) for name, (seed, tied) in made.items()}


@pytest.fixture(scope="module")
def driver(checkpoints: dict[str, Path]) -> Iterator[Driver]:
    with asyncio.Runner() as runner, ray_session(None):
        yield Driver(Engine.start("mmst-test", EngineConfig(), checkpoints["one"]), runner)


def greedy(checkpoint: Path, prompt: str, count: int) -> str:
    """What plain transformers writes."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    written = model.generate(**inputs, max_new_tokens=count, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    return tokenizer.decode(written, skip_special_tokens=True)


def writes_like_transformers(driver: Driver, checkpoint: Path) -> bool:
    asked = prompts(8, 12, seed=5)
    found = driver.ask([Request(prompt, 0, 12) for prompt in asked])
    return [completion.text for completion in found] == [greedy(checkpoint, prompt, 12) for prompt in asked]


def test_it_writes_what_plain_transformers_writes(driver: Driver, checkpoints: dict[str, Path]) -> None:
    assert driver.engine.report["largest"] < 1e-3
    assert writes_like_transformers(driver, checkpoints["one"])


def test_no_port_of_a_replica_is_open_to_other_machines(driver: Driver) -> None:
    replica = psutil.Process(driver.engine.report["processes"][0])
    listening = [c.laddr.ip for c in replica.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_a_prompt_that_the_engine_refuses_is_an_error_and_the_others_are_answered(driver: Driver) -> None:
    good, refused = driver.ask([SAMPLED[0], Request(EMPTY, 1, 8)])
    assert good.finish_reason != "error"
    assert refused == Completion("", "error", 0)


def test_a_seeded_sample_is_the_same_whatever_it_is_batched_with(driver: Driver) -> None:
    together = driver.ask(SAMPLED)
    assert len({completion.text for completion in together}) > 150
    assert {completion.finish_reason for completion in together} == {"stop", "length", "special"}
    assert driver.ask(SAMPLED[::-1])[::-1] == together
    assert [driver.ask([request])[0] for request in SAMPLED[:5]] == together[:5]


def test_limits_and_stop_strings_end_a_text(driver: Driver) -> None:
    request = Request(prompts(1, 12, seed=5)[0], 0, 12)
    (whole,) = driver.ask([request])
    third = whole.text.split()[2]
    cut, too_long = driver.ask(
        [Request(request.prompt, 0, 12, stop=(third,)), Request(" ".join(prompts(30, 10)), 0, 12)]
    )
    assert cut.text == whole.text[: whole.text.index(third)]
    assert (cut.finish_reason, cut.tokens) == ("stop", 3)
    assert (too_long.text, too_long.finish_reason) == ("", "length")


def test_a_checkpoint_is_changed_in_place_with_proof(driver: Driver, checkpoints: dict[str, Path]) -> None:
    before = driver.ask(SAMPLED[:20])
    processes = driver.engine.report["processes"]
    began = time.monotonic()
    driver.engine.load(checkpoints["two"])
    assert time.monotonic() - began < 20
    assert driver.engine.report["in_place"], driver.engine.report["fault"]
    assert driver.engine.report["processes"] == processes
    assert driver.ask(SAMPLED[:20]) != before
    assert writes_like_transformers(driver, checkpoints["two"])
    driver.engine.load(checkpoints["one"])
    assert driver.ask(SAMPLED[:20]) == before


def test_tied_embeddings_too_and_another_architecture_gets_a_fresh_engine(
    driver: Driver, checkpoints: dict[str, Path]
) -> None:
    driver.engine.load(checkpoints["tied one"])
    assert not driver.engine.report["in_place"]
    assert writes_like_transformers(driver, checkpoints["tied one"])
    driver.engine.load(checkpoints["tied two"])
    assert driver.engine.report["in_place"], driver.engine.report["fault"]
    assert driver.engine.report["largest"] < 1e-3
    assert writes_like_transformers(driver, checkpoints["tied two"])


def test_what_a_killed_replica_owed_is_asked_again_with_the_same_result(driver: Driver) -> None:
    expected = driver.ask(SAMPLED)
    replica, *children = driver.engine.report["processes"]

    async def kill_on_the_way() -> list[Completion]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(driver.engine.complete(request)) for request in SAMPLED]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            os.kill(replica, signal.SIGKILL)
        return [task.result() for task in tasks]

    assert driver.runner.run(kill_on_the_way()) == expected
    assert driver.engine.stats()["retries"] > 0
    assert not [pid for pid in children if lives(pid)]


def test_stopping_gives_everything_back(driver: Driver) -> None:
    import ray
    from ray import serve

    report = serve.get_app_handle("mmst-test").report.remote(driver.engine._generation).result()
    assert all(lives(pid) for pid in report["processes"])
    driver.engine.stop()
    assert not [pid for pid in report["processes"] if lives(pid)]
    assert "mmst-test" not in serve.status().applications
    deadline, cpus = time.monotonic() + 10, ray.cluster_resources()["CPU"]
    while ray.available_resources().get("CPU") != cpus and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ray.available_resources()["CPU"] == cpus


@pytest.mark.long
def test_nothing_is_served_that_cannot_be_proved(driver: Driver, tmp_path: Path) -> None:
    checkpoint = tiny_llama(tmp_path / "doubtful", 3)
    claimed = compute_weight_check(checkpoint, "float32")
    claimed.logprobs[1][1] -= 0.1
    write_weight_check(checkpoint, claimed)
    with pytest.raises(EngineError, match="does not compute what the checkpoint says"):
        Engine.start("mmst-doubtful", EngineConfig(), checkpoint)


def lives(pid: int) -> bool:
    stat = process_stat(pid)
    return stat is not None and stat.state != "Z"
