"""Memory for training and serving a model, per device, computed from its sizes; nothing is loaded.

The shares of weights, gradients and optimizer are those of ZeRO (Rajbhandari et al. 2020, section 3) with an AdamW
that keeps float32 states. Activations are counted tensor by tensor for a Llama-like block.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mmst.config import ClusterConfig, EngineConfig, ModelConfig, TrainingConfig
from mmst.errors import InputError
from mmst.training.sizes import Shape, shape_of

GIB = 2**30
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "auto": 2}
GPUS = (16, 24, 32, 40, 48, 80, 96, 141, 180, 288)
"""Common sizes, GiB."""
RUNTIME = {"gpu": 1.5 * GIB, "cpu": 0.6 * GIB}
"""A process itself: libraries, and on GPU the CUDA context and what the allocator wastes."""
_MICRO_BATCHES = (16384, 8192, 4096, 2048, 1024, 512)
_CPU_ACTIVATIONS = 2.5 * GIB
"""On CPU a larger micro-batch is slower once its activations outgrow the caches: for SmolLM2-135M a step of 4,605
tokens took 28.8 s in micro-batches of 1,024 tokens (2.2 GiB), 33.6 s of 512, 35.2 s of 2,048 and 49.0 s of 4,096."""
_GPU_SHARE = 0.8
"""Share of a GPU's memory to fill: the allocator fragments the rest."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes per device, by purpose. `training` is of one train worker, `engine` of one device of a replica."""

    parameters: int
    gpu: bool
    engine_gpu: bool
    training: dict[str, float]
    engine: dict[str, float]
    utilization: float
    device: int | None
    """Memory of the smallest GPU here, or of this machine if it trains on CPU; None if unknown."""
    on_machine: int
    """Train workers that share this machine's memory (CPU only)."""

    @property
    def needed(self) -> float:
        """Bytes that one device must have: for training, or for the engine if that needs more."""
        alone = sum(self.training.values())
        serving = sum(self.engine.values())
        if not self.gpu:
            return alone * self.on_machine + (0 if self.engine_gpu else serving)
        return max(alone, serving / self.utilization if self.engine_gpu else 0)

    def describe(self) -> str:
        """The estimate as text: how much each part takes, and which devices have it."""
        lines = [f"memory: {self.parameters / 1e6:,.1f} million parameters"]
        for what, parts in (("a train worker", self.training), ("an engine device", self.engine)):
            shares = ", ".join(f"{name} {_size(value)}" for name, value in parts.items())
            lines.append(f"  {what}: {_size(sum(parts.values()))} ({shares})")
        if self.gpu:
            fits = [size for size in GPUS if size * GIB >= self.needed]
            lines.append(f"  fits GPUs of {fits[0]} GiB and more" if fits else "  fits no GPU")
        if self.device is not None:
            lines.append(
                f"  here: {_size(self.device)} per {'GPU' if self.gpu else 'machine'}, needed {_size(self.needed)}"
            )
        return "\n".join(lines)

    def refuse(self) -> None:
        """Raise InputError if this cannot fit."""
        most = self.device if self.device is not None else GPUS[-1] * GIB if self.gpu else None
        if most is None or self.needed <= most:
            return
        largest = max(self.training, key=lambda name: self.training[name])
        has = "this machine has" if self.device is not None else "the largest GPU known has"
        raise InputError(
            f"memory: {_size(self.needed)} per {'GPU' if self.gpu else 'machine'} are needed, {has} {_size(most)}; "
            f"most is for {largest}. {ADVICE[largest]}"
        )


ADVICE = {
    "weights": "Use a smaller model, `training.precision: bfloat16`, or `training.zero_stage: 3` with more workers",
    "gradients": "Use `training.zero_stage: 2` with more workers, or `training.lora`",
    "optimizer": "Use more `cluster.train_workers` (ZeRO divides it among them), or `training.lora`",
    "activations": "Lower `training.micro_batch_tokens`, or set `training.gradient_checkpointing`",
    "runtime": "Use a larger machine",
}


def estimate(
    model: ModelConfig | str | Path, training: TrainingConfig, cluster: ClusterConfig, engine: EngineConfig
) -> MemoryEstimate:
    """Memory for training a model as configured and for serving it.

    Raises InputError for a model whose sizes cannot be read (see `shape_of`).
    """
    shape = shape_of(model)
    gpu, engine_gpu = cluster.train_gpus > 0, engine.gpus > 0
    device = (_smallest_gpu() if gpu else _machine()) if cluster.address is None else None
    tokens = micro_batch_tokens(shape, training, cluster.train_workers, gpu, device)
    return MemoryEstimate(
        parameters=shape.parameters,
        gpu=gpu,
        engine_gpu=engine_gpu,
        training=_training(shape, training, cluster.train_workers, gpu, tokens),
        engine=_serving(shape, engine),
        utilization=engine.gpu_memory_utilization,
        device=device,
        on_machine=cluster.train_workers,
    )


def micro_batch_tokens(shape: Shape, training: TrainingConfig, workers: int, gpu: bool, device: int | None) -> int:
    """`training.micro_batch_tokens`; `auto` is the largest size that is fast on CPU or fits into `device` bytes on GPU
    (unknown, the smallest one)."""
    if training.micro_batch_tokens != "auto":
        return training.micro_batch_tokens

    def fits(tokens: int) -> bool:
        parts = _training(shape, training, workers, gpu, tokens)
        return sum(parts.values()) <= _GPU_SHARE * (device or 0) if gpu else parts["activations"] <= _CPU_ACTIVATIONS

    return next((tokens for tokens in _MICRO_BATCHES if fits(tokens)), _MICRO_BATCHES[-1])


def _training(shape: Shape, training: TrainingConfig, workers: int, gpu: bool, tokens: int) -> dict[str, float]:
    size, parameters = BYTES[training.precision], shape.parameters
    trained = parameters
    if training.lora is not None:
        trained = shape.layers * training.lora.rank * sum(a + b for a, b in shape.linear)
        parameters += trained
    stage = training.zero_stage
    states = 12 if stage or size == 2 else 8  # ZeRO keeps a float32 copy of the weights beside the two moments
    return {
        "weights": size * parameters / (workers if stage == 3 else 1),
        "gradients": size * trained / (workers if stage >= 2 else 1),
        "optimizer": states * trained / (workers if stage >= 1 else 1),
        "activations": _activations(shape, training, size, workers, tokens),
        "runtime": RUNTIME["gpu" if gpu else "cpu"],
    }


def _activations(shape: Shape, training: TrainingConfig, size: int, workers: int, tokens: int) -> float:
    """Of one micro-batch: what each block keeps for the backward pass, the logits, the attention mask."""
    share = -(-training.batch // workers) * training.max_length
    tokens = max(min(tokens, share), training.max_length)
    attention = 5 * shape.width + 3 * (shape.query_width + 2 * shape.kv_width)
    block = size * (attention + 4 * shape.mlp) + 4 * 4 * shape.width  # norms are computed in float32
    kept = size * shape.width * shape.layers + block if training.gradient_checkpointing else block * shape.layers
    logits = (size + 8) * shape.vocabulary  # and their float32 copy and gradient
    return float(tokens * (kept + logits + size * training.max_length))


def _serving(shape: Shape, engine: EngineConfig) -> dict[str, float]:
    size = 4 if engine.dtype == "auto" and not engine.gpus else BYTES[engine.dtype]
    longest = engine.max_model_len or 2048
    one = 2 * shape.layers * shape.kv_width * size * longest / engine.tensor_parallel
    weights = size * shape.parameters / engine.tensor_parallel
    if engine.gpus:
        return {"weights": weights, "one sequence": one, "runtime": RUNTIME["gpu"]}
    return {"weights": weights, "KV cache": engine.kv_cache_bytes or one, "runtime": RUNTIME["cpu"]}


def _smallest_gpu() -> int | None:
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    sizes = [int(line) for line in shown.split() if line.isdigit()]
    return min(sizes) * 2**20 if sizes else None


def _machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _size(value: float) -> str:
    return f"{value / GIB:.1f} GiB" if value >= GIB / 10 else f"{value / 2**20:.0f} MiB"
