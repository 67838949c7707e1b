"""Training steps under DeepSpeed, compared with a bare PyTorch loop: `python benchmarks/training.py`.

A Llama of half a million parameters learns synthetic word problems on one thread in float32. Our side does what a train
worker does in every step: divide the examples, lay them out, forward, backward, ZeRO, AdamW. The bare side gets the
finished tensors and does forward, backward, clipping, AdamW. They alternate on the same steps in one process. Reported
is the ratio of the medians in tokens per second without padding. (Ray Train only starts the workers.)
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from mmst.config import ScheduleConfig, ScratchConfig, TrainingConfig
from mmst.problems.synthetic import SyntheticSpec, generate
from mmst.training.encode import Encoded, encode
from mmst.training.plan import Row, divide, draw_examples
from mmst.training.task import Task

SCRATCH = ScratchConfig(context=192)
RATE = 1e-3


def make_model(root: Path) -> Encoded:
    """Write a new model to `root`/model. Returns examples of three tasks of different length."""
    from mmst.training.scratch import build_model, build_tokenizer, save_checkpoint

    problems = generate(SyntheticSpec(), 900)
    tasks = {"cot": ("question", "cot"), "pot": ("question", "program"), "pot->cot": ("program", "cot")}
    rows = []
    for number, problem in enumerate(problems):
        task = list(tasks)[number % 3]
        texts = {"question": problem.question, **problem.views}
        rows.append({"prompt": f"{texts[tasks[task][0]]}\n{task}\n", "completion": texts[tasks[task][1]], "task": task})
    pq.write_table(pa.Table.from_pylist(rows), root / "rows.parquet")
    tokenizer = build_tokenizer([row[part] for row in rows for part in ("prompt", "completion")], SCRATCH)
    save_checkpoint(build_model(tokenizer, SCRATCH, 0), tokenizer, root / "model")
    return encode(root / "rows.parquet", tokenizer, SCRATCH.context)


def laid_out(encoded: Encoded, examples: np.ndarray, training: TrainingConfig) -> tuple[list[Any], list[list[Row]]]:
    """The micro-batches of a step as tensors, and as rows of places in the step."""
    from mmst.training.batches import assemble

    (rows_of,) = divide(encoded.lengths[examples].tolist(), 1, training.micro_batch_tokens)
    arrays = (encoded.tokens, encoded.starts, encoded.prompts)
    return [assemble([[int(examples[e]) for e in row] for row in rows], *arrays) for rows in rows_of], rows_of


def our_step(root: Path, training: TrainingConfig, encoded: Encoded) -> Callable[[np.ndarray], None]:
    """One step of a train worker."""
    from mmst.training.model import TrainModel

    task = Task(
        start=str(root / "model"),
        output="",
        storage=str(root),
        training=training,
        schedule=ScheduleConfig(),
        steps=1,
        seed=0,
        threads=1,
        gpu=False,
    )
    train_model = TrainModel(task)

    def step(examples: np.ndarray) -> None:
        batches, _ = laid_out(encoded, examples, training)
        train_model.step(batches, sum(len(batch.targets) for batch in batches), RATE)

    return step


def bare_step(root: Path, training: TrainingConfig) -> Callable[[list[Any]], None]:
    """One step of a bare PyTorch loop."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(root / "model").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=training.betas)

    def step(batches: list[Any]) -> None:
        targets = sum(len(batch.targets) for batch in batches)
        for batch in batches:
            mask = batch.attention(torch.float32)
            logits = model(input_ids=batch.tokens, position_ids=batch.positions, attention_mask=mask).logits
            loss = torch.nn.functional.cross_entropy(logits[batch.predicts], batch.targets, reduction="sum") / targets
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip)
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(root: Path, training: TrainingConfig, repetitions: int, block: int) -> tuple[dict[str, list[float]], float]:
    """Tokens per second of blocks of steps (the sides alternate, after one block to warm up), and share of padding."""
    encoded = make_model(root)
    order = draw_examples(encoded.tasks, {}, training.batch, (repetitions + 1) * block, 0)
    sides = {"bare": bare_step(root, training), "deepspeed": our_step(root, training, encoded)}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    padded = 0
    for repetition, examples in enumerate(order.reshape(repetitions + 1, block, -1)):
        ready = [laid_out(encoded, of, training)[0] for of in examples]
        padded += sum(batch.tokens.numel() for batches in ready for batch in batches)
        for name, given in {"bare": ready, "deepspeed": list(examples)}.items():
            began = time.perf_counter()
            for of in given:
                sides[name](of)
            if repetition:
                rates[name].append(int(encoded.lengths[examples].sum()) / (time.perf_counter() - began))
    return rates, 1 - int(encoded.lengths[order].sum()) / padded


def main() -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--steps", type=int, default=8, help="per repetition")
    parser.add_argument("--zero-stage", type=int, default=1)
    arguments = parser.parse_args()
    os.environ |= {"DS_ACCELERATOR": "cpu", "RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "OMP_NUM_THREADS": "1"}
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    training = TrainingConfig(zero_stage=arguments.zero_stage, max_length=SCRATCH.context, micro_batch_tokens=16384)
    with tempfile.TemporaryDirectory(prefix="mmst-bench-", dir="/tmp") as temporary:
        root = Path(temporary)
        dist.init_process_group("gloo", init_method=f"file://{root}/store", rank=0, world_size=1)
        rates, padding = measure(root, training, arguments.repetitions, arguments.steps)
        dist.destroy_process_group()
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ratio = medians["deepspeed"] / medians["bare"]
    table = Table("tokens/s", "median", "lowest", "highest")
    for name, values in rates.items():
        table.add_row(name, f"{medians[name]:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}")
    Console().print(table)
    print(
        json.dumps({
            "benchmark": "training", "ratio": round(ratio, 3), "bar": 0.9, "met": ratio >= 0.9 and padding <= 0.05,
            **{f"{name}_tokens_per_s": round(value) for name, value in medians.items()},
            "padding": round(padding, 4), "padding_bar": 0.05, "zero_stage": arguments.zero_stage,
            "repetitions": arguments.repetitions, "steps": arguments.steps,
        })
    )  # fmt: skip


if __name__ == "__main__":
    main()
