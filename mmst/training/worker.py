"""One train worker: the loop over steps, under DeepSpeed. Runs inside a Ray Train worker."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmst.files import write_text
from mmst.training.task import Task

FLUSH = 10
"""Steps between two looks at the losses: looking makes the host wait for the device."""


def work(task: Task) -> None:
    """Train one model; every rank runs this. The results are the files."""
    began = time.time()
    _quiet(task)
    import torch
    import torch.distributed as dist

    torch.set_num_threads(task.threads)
    from mmst.training.model import TrainModel

    train_model = TrainModel(task)
    done = train_model.resume()
    with _log(task.progress, done, dist.get_rank() == 0) as log:
        log({"event": "start", "step": done, "pid": os.getpid(), "time": began, "seconds": time.time() - began})
        if _steps(task, train_model, done, log):
            began = time.time()
            train_model.export(Path(task.output))
            log({"event": "export", "step": task.steps, "seconds": time.time() - began})


_NOT_A_NUMBER = "training: the loss is not a number by step {step} (learning rate {rate:.1e}); lower learning_rate"


def _steps(task: Task, train_model: Any, done: int, log: Any) -> bool:
    """Take the steps that are left; false where the loss stopped being a number."""
    import torch
    import torch.distributed as dist

    from mmst.training.batches import assemble
    from mmst.training.plan import divide, learning_rate

    rank, world = dist.get_rank(), dist.get_world_size()
    with np.load(task.data) as arrays:
        tokens, starts, prompts, order = (arrays[name] for name in ("tokens", "starts", "prompts", "order"))
    lengths = np.diff(starts)
    losses: list[torch.Tensor] = []
    facts: list[dict[str, Any]] = []
    since = time.time()
    for step in range(done, task.steps):
        examples = order[step]
        own = lengths[examples].tolist()
        workers = divide(own, world, task.training.micro_batch_tokens, train_model.packs)
        targets = int((lengths[examples] - np.maximum(prompts[examples], 1)).sum())
        batches = [
            assemble([[int(examples[e]) for e in row] for row in rows], tokens, starts, prompts)
            for rows in workers[rank]
        ]
        rate = learning_rate(step, task.steps, task.schedule)
        torch.manual_seed((task.seed + step * world + rank) % 2**63)
        losses.append(train_model.step(batches, targets, rate))
        padded = sum(_area(rows, own) for worker in workers for rows in worker)
        facts.append(
            {"step": step + 1, "learning_rate": rate, "tokens": sum(own), "padded": padded, "targets": targets}
        )
        last = step + 1 == task.steps
        saves = (step + 1) % task.training.checkpoint_every == 0 and not last
        if (step + 1) % FLUSH == 0 or last or saves:
            values = torch.stack(losses)
            dist.all_reduce(values)
            seconds = (time.time() - since) / len(facts)
            for fact, loss in zip(facts, values.tolist(), strict=True):
                log({"event": "step", **fact, "loss": loss, "seconds": seconds})
            if not torch.isfinite(values).all():
                log({"event": "failed", "step": step + 1, "why": _NOT_A_NUMBER.format(step=step + 1, rate=rate)})
                return False
            losses, facts = [], []
            if saves:
                train_model.save(step + 1)
            since = time.time()
    return True


def _area(rows: list[list[int]], lengths: list[int]) -> int:
    """Tokens of a micro-batch with its padding."""
    return len(rows) * max((sum(lengths[e] for e in row) for row in rows), default=0) or 1


@contextlib.contextmanager
def _log(path: Path, done: int, writes: bool) -> Iterator[Any]:
    """A function that appends a line on rank 0, after dropping what an earlier attempt did beyond the step at which
    this one starts."""
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
    """The events so far; a line that is still being written doesn't count."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _quiet(task: Task) -> None:
    """Before the heavy imports: which device, and that only what goes wrong is said."""
    os.environ["DS_ACCELERATOR"] = "cuda" if task.gpu else "cpu"
    os.environ["OMP_NUM_THREADS"] = str(task.threads)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore")
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
