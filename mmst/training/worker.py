"""One train worker: the loop over steps, under DeepSpeed. Runs inside a Ray Train worker."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmst.files import write_text
from mmst.training.task import Task

if TYPE_CHECKING:
    import torch

    from mmst.training.model import TrainModel

FLUSH = 10
"""Steps between two reads of the losses: reading makes the host wait for the device."""
Log = Callable[[dict[str, Any]], None]


def work(task: Task) -> None:
    """Train one model; every rank runs this. The results are the files."""
    began = time.time()
    _set_environment(task)
    import torch
    import torch.distributed as dist

    torch.set_num_threads(task.threads)
    from mmst.training.model import TrainModel

    train_model = TrainModel(task)
    done = train_model.resume()
    with _log(task.progress, done, dist.get_rank() == 0) as log:
        start = {"event": "start", "step": done, "micro_batch_tokens": train_model.micro_batch_tokens}
        log({**start, "pid": os.getpid(), "time": began, "seconds": time.time() - began})
        if _steps(task, train_model, done, log):
            began = time.time()
            train_model.export(Path(task.output))
            log({"event": "export", "step": task.steps, "seconds": time.time() - began})


def _steps(task: Task, train_model: TrainModel, done: int, log: Log) -> bool:
    """Take the remaining steps; returns False if the loss is not a number."""
    import torch

    with np.load(task.data) as arrays:
        data = {name: arrays[name] for name in ("tokens", "starts", "prompts", "order")}
    losses: list[torch.Tensor] = []
    facts: list[dict[str, Any]] = []
    since = time.time()
    for step in range(done, task.steps):
        loss, fact = _step(task, train_model, data, step)
        losses.append(loss)
        facts.append(fact)
        last = step + 1 == task.steps
        saves = (step + 1) % task.training.checkpoint_every == 0 and not last
        if (step + 1) % FLUSH == 0 or last or saves:
            values = torch.stack(losses)
            torch.distributed.all_reduce(values)
            seconds = (time.time() - since) / len(facts)
            for fact, value in zip(facts, values.tolist(), strict=True):
                log({"event": "step", **fact, "loss": value, "seconds": seconds})
            if not torch.isfinite(values).all():
                rate = facts[-1]["learning_rate"]
                why = f"the loss is not a number by step {step + 1} (learning rate {rate:.1e}); lower learning_rate"
                log({"event": "failed", "step": step + 1, "why": f"training: {why}"})
                return False
            losses, facts = [], []
            if saves:
                train_model.save(step + 1)
            since = time.time()
    return True


def _step(
    task: Task, train_model: TrainModel, data: dict[str, np.ndarray], step: int
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Take one step: this rank's share of the loss, and what is logged about the step."""
    import torch
    import torch.distributed as dist

    from mmst.training.batches import assemble
    from mmst.training.plan import divide, learning_rate

    rank, world = dist.get_rank(), dist.get_world_size()
    tokens, starts, prompts, examples = data["tokens"], data["starts"], data["prompts"], data["order"][step]
    lengths = np.diff(starts)[examples]
    own = lengths.tolist()
    workers = divide(own, world, train_model.micro_batch_tokens, train_model.packs)
    batches = [
        assemble([[int(examples[e]) for e in row] for row in rows], tokens, starts, prompts) for rows in workers[rank]
    ]
    targets = int((lengths - np.maximum(prompts[examples], 1)).sum())
    rate = learning_rate(step, task.steps, task.schedule)
    torch.manual_seed((task.seed + step * world + rank) % 2**63)
    padded = sum(_area(rows, own) for worker in workers for rows in worker)
    fact = {"step": step + 1, "learning_rate": rate, "tokens": sum(own), "padded": padded, "targets": targets}
    return train_model.step(batches, targets, rate), fact


def _area(rows: list[list[int]], lengths: list[int]) -> int:
    """Tokens of a micro-batch with its padding."""
    return len(rows) * max((sum(lengths[e] for e in row) for row in rows), default=0) or 1


@contextlib.contextmanager
def _log(path: Path, done: int, writes: bool) -> Iterator[Log]:
    """A function that appends a line on rank 0. Lines of an earlier attempt beyond step `done` are dropped first."""
    if not writes:
        yield lambda event: None
        return
    kept = [line for line in read_progress(path) if line["event"] != "step" or line["step"] <= done]
    write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
    with path.open("a") as file:

        def log(event: dict[str, Any]) -> None:
            file.write(json.dumps(event) + "\n")
            file.flush()

        yield log


def read_progress(path: Path) -> list[dict[str, Any]]:
    """The events so far, without a line that is still being written."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _set_environment(task: Task) -> None:
    """Choose the device and silence everything but errors, before the heavy imports."""
    os.environ["DS_ACCELERATOR"] = "cuda" if task.gpu else "cpu"
    os.environ["OMP_NUM_THREADS"] = str(task.threads)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore")
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
