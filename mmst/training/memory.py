"""How much memory training and serving a model take per device, from its configuration alone. Arithmetic: nothing
is loaded.

The shares of weights, gradients and optimizer are those of ZeRO (Rajbhandari et al. 2020, section 3) with an AdamW
that keeps float32 states; activations are counted tensor by tensor for a Llama-like block.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmst.config import ClusterConfig, EngineConfig, ModelConfig, ScratchConfig, TrainingConfig
from mmst.errors import InputError

GIB = 2**30
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "auto": 2}
GPUS = {"16 GiB (T4)": 16, "24 GiB (A10, L4)": 24, "48 GiB (L40S)": 48, "80 GiB (A100, H100)": 80}
GPUS |= {"141 GiB (H200)": 141, "180 GiB (B200)": 180}
RUNTIME = {"gpu": 1.5 * GIB, "cpu": 0.6 * GIB}
"""CUDA context, libraries and allocator slack of a process; on CPU the libraries."""

# vocabulary, width, layers, heads, key-value heads, MLP width, tied embeddings
KNOWN = {
    "Qwen/Qwen2.5-0.5B": (151936, 896, 24, 14, 2, 4864, True),
    "Qwen/Qwen2.5-1.5B": (151936, 1536, 28, 12, 2, 8960, True),
    "Qwen/Qwen2.5-3B": (151936, 2048, 36, 16, 2, 11008, True),
    "Qwen/Qwen2.5-7B": (152064, 3584, 28, 28, 4, 18944, False),
    "Qwen/Qwen2.5-14B": (152064, 5120, 48, 40, 8, 13824, False),
    "Qwen/Qwen2.5-32B": (152064, 5120, 64, 40, 8, 27648, False),
    "meta-llama/Llama-3.2-1B": (128256, 2048, 16, 32, 8, 8192, True),
    "meta-llama/Llama-3.2-3B": (128256, 3072, 28, 24, 8, 8192, True),
    "meta-llama/Llama-3.1-8B": (128256, 4096, 32, 32, 8, 14336, False),
    "HuggingFaceTB/SmolLM2-135M": (49152, 576, 30, 9, 3, 1536, True),
    "HuggingFaceTB/SmolLM2-1.7B": (49152, 2048, 24, 32, 32, 8192, True),
}


@dataclass(frozen=True)
class Shape:
    """The sizes that memory depends on."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    mlp: int
    tied: bool
    head_width: int | None = None
    experts: int = 1
    counted: int | None = field(default=None, compare=False)
    """Parameters, where the weights are there to be counted."""

    @property
    def kv_width(self) -> int:
        """Width of the keys, and of the values."""
        return self.kv_heads * (self.head_width or self.width // self.heads)

    @property
    def query_width(self) -> int:
        """Width of the queries."""
        return self.heads * (self.head_width or self.width // self.heads)

    @property
    def linear(self) -> list[tuple[int, int]]:
        """Input and output width of the matrices of one block."""
        attention = [(self.width, self.query_width), (self.query_width, self.width)] + 2 * [(self.width, self.kv_width)]
        return attention + self.experts * [(self.width, self.mlp), (self.width, self.mlp), (self.mlp, self.width)]

    @property
    def parameters(self) -> int:
        """Weights in all."""
        block = sum(a * b for a, b in self.linear) + 2 * self.width
        tables = self.vocabulary * self.width * (1 if self.tied else 2)
        return self.counted or tables + self.layers * block + self.width


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes per device, by purpose. `training` is for one train worker, `engine` for one device of a replica; None
    where it takes whatever is there."""

    parameters: int
    gpu: bool
    engine_gpu: bool
    training: dict[str, float]
    engine: dict[str, float]
    utilization: float
    device: int | None
    """Memory of the smallest GPU here, or of this machine where it trains on CPU; none where it is not known."""
    on_machine: int
    """Train workers and engine replicas that share this machine's memory (CPU only)."""

    @property
    def needed(self) -> float:
        """Bytes that one device must have: for training, or for the engine where that is more."""
        alone = sum(self.training.values())
        serving = sum(self.engine.values())
        if not self.gpu:
            return alone * self.on_machine + (0 if self.engine_gpu else serving)
        return max(alone, serving / self.utilization if self.engine_gpu else 0)

    def describe(self) -> str:
        """For people: what takes how much, and which devices have it."""
        lines = [f"memory: {self.parameters / 1e6:,.1f} million parameters"]
        for what, parts in (("a train worker", self.training), ("an engine device", self.engine)):
            shares = ", ".join(f"{name} {_size(value)}" for name, value in parts.items())
            lines.append(f"  {what}: {_size(sum(parts.values()))} ({shares})")
        if self.gpu:
            fits = [name for name, size in GPUS.items() if size * GIB >= self.needed]
            lines.append(f"  fits GPUs from {fits[0]} up" if fits else "  fits no GPU")
        if self.device is not None:
            lines.append(
                f"  here: {_size(self.device)} per {'GPU' if self.gpu else 'machine'}, needed {_size(self.needed)}"
            )
        return "\n".join(lines)

    def refuse(self) -> None:
        """Raise InputError where this cannot fit."""
        most = self.device if self.device is not None else max(GPUS.values()) * GIB if self.gpu else None
        if most is None or self.needed <= most:
            return
        largest = max(self.training, key=lambda name: self.training[name])
        has = "this machine has" if self.device is not None else "the largest GPU known has"
        raise InputError(
            f"memory: {_size(self.needed)} per {'GPU' if self.gpu else 'machine'} are needed, {has} {_size(most)}; "
            f"most goes into {largest}. {ADVICE[largest]}"
        )


ADVICE = {
    "weights": "Take a smaller model, `training.precision: bfloat16`, or `training.zero_stage: 3` with more workers",
    "gradients": "Take `training.zero_stage: 2` with more workers, or `training.lora`",
    "optimizer": "Take more `cluster.train_workers` (ZeRO divides it among them), or `training.lora`",
    "activations": "Lower `training.micro_batch_tokens`, or set `training.gradient_checkpointing`",
    "runtime": "Take a larger machine",
}


def estimate(
    model: ModelConfig | str | Path, training: TrainingConfig, cluster: ClusterConfig, engine: EngineConfig
) -> MemoryEstimate:
    """Memory for training a model as configured and for serving it.

    Raises InputError for a model whose sizes cannot be found out: no such directory, no config.json, or a hub id
    that is neither known here nor reachable.
    """
    shape = shape_of(model)
    gpu, engine_gpu = cluster.train_gpus > 0, engine.gpus > 0
    return MemoryEstimate(
        parameters=shape.parameters,
        gpu=gpu,
        engine_gpu=engine_gpu,
        training=_training(shape, training, cluster.train_workers) | {"runtime": RUNTIME["gpu" if gpu else "cpu"]},
        engine=_serving(shape, engine),
        utilization=engine.gpu_memory_utilization,
        device=(_smallest_gpu() if gpu else _machine()) if cluster.address is None else None,
        on_machine=cluster.train_workers,
    )


def _training(shape: Shape, training: TrainingConfig, workers: int) -> dict[str, float]:
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
        "activations": _activations(shape, training, size, workers),
    }


def _activations(shape: Shape, training: TrainingConfig, size: int, workers: int) -> float:
    """Of one micro-batch: what each block keeps for the backward pass, the logits, the attention mask."""
    share = -(-training.batch // workers) * training.max_length
    tokens = max(min(training.micro_batch_tokens, share), training.max_length)
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


def shape_of(model: ModelConfig | str | Path) -> Shape:
    """The sizes of a model: from the configuration of a new one, a directory, the table above, or the hub."""
    if isinstance(model, ModelConfig):
        if model.path is None:
            return _new(model.scratch)
        model = model.path
    directory = Path(model)
    if directory.is_dir():
        if not (directory / "config.json").is_file():
            raise InputError(f"{directory}: not a model directory, it has no config.json")
        return _read(directory / "config.json", _count(directory))
    for name, sizes in KNOWN.items():
        if str(model).removesuffix("-Instruct") == name:
            return Shape(*sizes)
    try:
        from huggingface_hub import hf_hub_download

        return _read(Path(hf_hub_download(str(model), "config.json")), None)
    except (OSError, ValueError) as error:
        raise InputError(
            f"model.path: {model} is neither a directory nor a model that the hub gives ({str(error).splitlines()[0]})"
        ) from error


def _new(config: ScratchConfig) -> Shape:
    from mmst.training.scratch import mlp_width

    heads, mlp = config.heads, mlp_width(config.width)
    return Shape(config.vocabulary, config.width, config.layers, heads, heads, mlp, config.tie_embeddings)


def _read(path: Path, counted: int | None) -> Shape:
    try:
        outer: dict[str, Any] = json.loads(path.read_text())
        config = outer.get("text_config", outer)
        heads = config["num_attention_heads"]
        experts = config.get("num_local_experts") or config.get("num_experts") or 1
        return Shape(
            vocabulary=config["vocab_size"],
            width=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            mlp=(experts > 1 and config.get("moe_intermediate_size"))
            or config.get("intermediate_size")
            or 4 * config["hidden_size"],
            tied=config.get("tie_word_embeddings", outer.get("tie_word_embeddings", True)),
            head_width=config.get("head_dim"),
            experts=experts,
            counted=counted,
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: cannot read the sizes of the model ({type(error).__name__}: {error})") from error


def _count(directory: Path) -> int | None:
    """Parameters in the safetensors files of a directory, from their headers; none where there are no such files."""
    total = 0
    for file in directory.glob("*.safetensors"):
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length))
        for name, tensor in header.items():
            if name != "__metadata__":
                count = 1
                for size in tensor["shape"]:
                    count *= size
                total += count
    return total or None


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
