"""The engine, the cluster and the sandbox."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mmst.config.section import Count, Section


class EngineConfig(Section):
    """vLLM in a Ray Serve deployment."""

    replicas: Annotated[int, Field(ge=0)] | None = 1
    """Fixed number of replicas; null autoscales between the two below."""
    min_replicas: Annotated[int, Field(ge=0)] = 1
    """Fewest replicas when autoscaling."""
    max_replicas: Count = 1
    """Most replicas when autoscaling."""
    cpus: Annotated[float, Field(ge=0)] = 1.0
    """Logical CPUs of one replica."""
    gpus: Annotated[float, Field(ge=0)] = 0.0
    """GPUs of one replica; 0 runs on CPU."""
    tensor_parallel: Count = 1
    """GPUs that hold one copy of the model together; needs at least as many `gpus`."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto` is float32 on CPU and the model's own on GPU."""
    max_model_len: Count | None = None
    """Longest prompt and solution together, in tokens; null reads it from the model."""
    max_num_seqs: Count = 512
    """Requests that one replica works on at once."""
    kv_cache_bytes: Count | None = 2**28
    """Memory for the KV cache on CPU, in bytes; on GPUs `gpu_memory_utilization` decides."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of a GPU's memory for vLLM."""
    enforce_eager: bool = False
    """Skip compilation and CUDA graphs (always on CPU)."""
    max_retries: Annotated[int, Field(ge=0)] = 3
    """How often a request is retried when its replica dies or fails on it."""
    token_timeout: Annotated[float, Field(gt=0)] = 5.0
    """Seconds per token of a request (`max_tokens`): a replica that finishes nothing for that long, and two minutes,
    hangs and is replaced."""
    start_timeout: Annotated[float, Field(gt=0)] = 600.0
    """Seconds to wait for a replica to start, not counting those in which an autoscaling cluster adds nodes for it."""

    @property
    def fewest_replicas(self) -> int:
        """Replicas that are up at any time; the first one is started even where the minimum is 0."""
        return self.replicas if self.replicas is not None else max(1, self.min_replicas)

    @property
    def most_replicas(self) -> int:
        """Replicas that are up under full load."""
        return self.replicas if self.replicas is not None else max(self.max_replicas, self.min_replicas)

    @model_validator(mode="after")
    def _possible(self) -> EngineConfig:
        if self.tensor_parallel > 1 and self.gpus < self.tensor_parallel:
            raise ValueError(
                f"tensor_parallel is {self.tensor_parallel}, but a replica has gpus: {self.gpus:g}; "
                f"set gpus: {self.tensor_parallel}"
            )
        if self.replicas is None and self.min_replicas > self.max_replicas:
            raise ValueError(f"min_replicas ({self.min_replicas}) is greater than max_replicas ({self.max_replicas})")
        if self.dtype == "float16" and not self.gpus:
            raise ValueError("dtype float16 needs a GPU; use float32 or bfloat16 on CPU")
        return self


class ClusterConfig(Section):
    """The Ray cluster, the trainer's workers and the verifiers."""

    placement: Literal["shared", "split"] = "split"
    """`split`: engine and trainer have separate devices; the engine stays up and changes its checkpoint in place.
    `shared`: they use the same devices in turn; the engine is stopped for training in every round."""
    address: str | None = None
    """Ray address; null joins the cluster of RAY_ADDRESS (as in a submitted job), else starts a private Ray that ends
    with the run."""
    train_workers: Count = 1
    """Data-parallel workers of the trainer."""
    train_cpus: Annotated[float, Field(gt=0)] = 1.0
    """Logical CPUs of one train worker."""
    train_threads: Count | None = None
    """Threads of one train worker; null is one per logical CPU, at least 1."""
    train_gpus: Annotated[float, Field(ge=0)] = 0.0
    """GPUs of one train worker."""
    verifiers: Count | None = None
    """Verifier actors (0 logical CPUs each); null is one per core, at most 8."""
    in_flight: Count = 512
    """Solutions (problems × methods × samples) in progress at the same time, per replica."""
    resource_timeout: Annotated[float, Field(gt=0)] = 600.0
    """Seconds to wait for resources that the cluster lacks. There is no limit for a cluster that autoscales."""


class SandboxConfig(Section):
    """Limits for model-written programs."""

    cpu_seconds: Annotated[float, Field(gt=0)] = 5.0
    """CPU time of one program."""
    wall_seconds: Annotated[float, Field(gt=0)] = 15.0
    """Wall time of one program: generous, it only matters for programs that sleep."""
    memory_bytes: Count = 2**30
    """Address space of one program."""
    output_bytes: Count = 64 * 1024
    """Largest output of one program."""
    allow_weak: bool = False
    """Run programs even if the kernel has neither Landlock nor seccomp. Use only on disposable machines."""
