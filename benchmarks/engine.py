"""Generation through the deployment, compared with bare `vllm.LLM.generate`: `python benchmarks/engine.py`.

A Llama of 2.2 million parameters with random weights writes 30 to 40 tokens for each prompt of 50 tokens: four seeded
samples per prompt, 512 in flight, one thread, float32. The sides alternate and must write the same texts; the result is
the ratio of the medians. The deployment gets single requests from an asyncio program, as from the loop: they are
grouped into chunks, and text is decoded by the checkpoint's tokenizer.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "engine"))

from tiny_llama import prompts, tiny_llama

from mmst.config import EngineConfig
from mmst.engine import Engine
from mmst.records import Request

IN_FLIGHT, SAMPLES = 512, 4


def requests(count: int) -> list[Request]:
    """`count` requests, SAMPLES for each prompt."""
    draw = random.Random(0)
    asked = prompts(count // SAMPLES, 50)
    return [Request(asked[n // SAMPLES], n, draw.randint(30, 40), 0.8) for n in range(count)]


def bare_engine(checkpoint: Path, config: EngineConfig) -> Any:
    """vLLM without Ray, with the settings of a replica."""
    os.environ.update(
        OMP_NUM_THREADS="1", VLLM_CPU_OMP_THREADS_BIND="nobind", VLLM_LOGGING_LEVEL="ERROR", VLLM_NO_USAGE_STATS="1"
    )
    from vllm import LLM

    return LLM(
        str(checkpoint),
        dtype="float32",
        enforce_eager=True,
        max_num_seqs=config.max_num_seqs,
        kv_cache_memory_bytes=config.kv_cache_bytes,
        enable_chunked_prefill=False,  # seeded requests need it on CPU
    )


def bare_texts(engine: Any, asked: list[Request]) -> tuple[list[str], int]:
    """All texts, and their number of tokens."""
    from vllm import SamplingParams

    sampling = [SamplingParams(temperature=r.temperature, seed=r.seed, max_tokens=r.max_tokens) for r in asked]
    outputs = engine.generate([r.prompt for r in asked], sampling, use_tqdm=False)
    return [o.outputs[0].text for o in outputs], sum(len(o.outputs[0].token_ids) for o in outputs)


async def deployed_texts(engine: Engine, asked: list[Request]) -> tuple[list[str], int]:
    """All texts through the deployment, and their number of tokens."""
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def one(request: Request) -> tuple[str, int]:
        async with slots:
            completion = await engine.complete(request)
        return completion.text, completion.tokens

    answers = await asyncio.gather(*map(one, asked))
    return [text for text, _ in answers], sum(tokens for _, tokens in answers)


def measure(checkpoint: Path, asked: list[Request], repetitions: int) -> dict[str, list[float]]:
    """Tokens per second of every repetition; the sides alternate, after one repetition to warm up."""
    config = EngineConfig(max_num_seqs=IN_FLIGHT)
    bare, engine = bare_engine(checkpoint, config), Engine.start("mmst-benchmark", config, checkpoint)
    rates: dict[str, list[float]] = {"bare": [], "deployed": []}
    with asyncio.Runner() as runner:
        sides = {
            "bare": lambda: bare_texts(bare, asked),
            "deployed": lambda: runner.run(deployed_texts(engine, asked)),
        }
        for repetition in range(repetitions + 1):
            written = {}
            for name, generate in sides.items():
                began = time.perf_counter()
                written[name], tokens = generate()
                if repetition:
                    rates[name].append(tokens / (time.perf_counter() - began))
            differing = sum(a.strip() != b.strip() for a, b in zip(*written.values(), strict=True))
            if differing:
                raise SystemExit(f"{differing} of {len(asked)} texts differ between the two sides")
    engine.stop()
    return rates


def main() -> None:
    """Print a table and a JSON line."""
    import ray

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2048)
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mmst-bench-", dir="/tmp") as temporary:
        checkpoint = tiny_llama(Path(temporary) / "model", 1, width=192, layers=3, words=2000)
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=str(Path(temporary) / "ray"),
        )
        try:
            rates = measure(checkpoint, requests(arguments.requests), arguments.repetitions)
        finally:
            ray.shutdown()
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ratio = medians["deployed"] / medians["bare"]
    table = Table("tokens/s", "median", "lowest", "highest")
    for name, values in rates.items():
        table.add_row(name, f"{medians[name]:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}")
    Console().print(table)
    print(
        json.dumps({
            "benchmark": "engine", "ratio": round(ratio, 3), "bar": 0.9, "met": ratio >= 0.9,
            **{f"{name}_tokens_per_s": round(value) for name, value in medians.items()},
            "requests": arguments.requests, "repetitions": arguments.repetitions,
        })
    )  # fmt: skip


if __name__ == "__main__":
    main()
