"""How checkpoints are trained, in round 0 and after."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mmst.config.section import Count, Section, Share

Beta = Annotated[float, Field(ge=0, lt=1)]


class LoraConfig(Section):
    """Low-rank adapters instead of all weights; merged into the exported checkpoint."""

    rank: Count = 16
    """Rank of the adapters."""
    alpha: Count = 32
    """Scale of the adapters, divided by the rank."""
    dropout: Share = 0.0
    """Dropout before the adapters."""
    target_modules: list[str] | Literal["all-linear"] = "all-linear"
    """Names of the layers that get adapters."""


class ScheduleConfig(Section):
    """Length and learning rate of one training."""

    steps: Count | None = None
    """Optimizer steps; none derives them from `epochs`."""
    epochs: Annotated[float, Field(gt=0)] = 3.0
    """Passes over the rows, if `steps` is none."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    """Peak learning rate."""
    warmup: Share = 0.03
    """Share of the steps with a linearly rising rate."""
    decay: Share = 1.0
    """Share of the steps after warm-up in which the rate falls along a cosine to `floor`, where it stays."""
    floor: Share = 0.02
    """Final learning rate, as a share of the peak."""


class TrainingConfig(Section):
    """Fine-tuning with DeepSpeed under Ray Train."""

    start: Literal["base", "previous"] = "base"
    """Start every round from the base model (STaR; for a model from scratch, the checkpoint of round 0), or from the
    promoted checkpoint."""
    schedule: ScheduleConfig = ScheduleConfig()
    """Length and learning rate."""
    batch: Count = 64
    """Examples per optimizer step, over all workers."""
    micro_batch_tokens: Count | Literal["auto"] = "auto"
    """Most tokens (with padding) of a micro-batch; larger batches accumulate gradients. `auto` is 16,384 or, for a
    larger model, what is fast on CPU or fits into the GPU."""
    max_length: Count = 1024
    """Maximum length of an example in tokens. Longer ones are left out and counted, never truncated."""
    zero_stage: Literal[0, 1, 2, 3] = 1
    """DeepSpeed ZeRO stage."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of weights and activations; optimizer states are float32."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Weight decay of AdamW, except for norms and biases."""
    betas: tuple[Beta, Beta] = (0.9, 0.95)
    """Betas of AdamW."""
    clip: Annotated[float, Field(gt=0)] = 1.0
    """Maximum gradient norm."""
    mixture: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Relative share of the examples of each task (`cot`, `pot`, `pot->cot`, ...); other tasks have weight 1. Empty:
    every row once per epoch."""
    pool_limit: Count | None = None
    """Maximum number of kept solutions (native and translated) of all rounds, drawn with the seed; none takes all.
    Compares runs at the same amount of data."""
    annotations: Literal["round0", "all"] = "round0"
    """Annotated solutions that rounds train on in addition to the pool: those of `round0.tasks`, or all views of all
    annotated problems (the control *direct* of an experiment)."""
    lora: LoraConfig | None = None
    """Train adapters instead of all weights; none trains all."""
    gradient_checkpointing: bool = False
    """Recompute activations to save memory."""
    checkpoint_every: Count = 500
    """Steps between the DeepSpeed checkpoints from which training resumes after a crash."""


class TaskLimit(Section):
    """Limit of one task in round 0."""

    limit: Annotated[int, Field(ge=0)] | None = None
    """Maximum number of problems, drawn with the seed; none takes all."""


class RoundZeroConfig(Section):
    """Training on annotated solutions before the first round (MinT)."""

    enabled: bool = True
    """False only evaluates the base model in round 0."""
    tasks: dict[str, TaskLimit] = {}
    """Tasks to train: a method or a view trains on that view, `pot->cot` on pairs of views as translations. Tasks with
    a limit take different problems while there are enough. Empty: all of `views`."""
    views: list[str] = []
    """Views to train on in round 0 and, with the pool, later: `cot`, `program`, `system`, `equation`, `prefix`,
    `socratic`, or the names of their methods. Problems without a view are skipped. Empty: the views of `methods`."""
    noise: Share = 0.0
    """Share of the views to corrupt (a wrong number or operator, a missing step), for experiments on label noise."""
    schedule: ScheduleConfig | None = None
    """Schedule of round 0; none uses `training.schedule`."""
    mixture: dict[str, Annotated[float, Field(ge=0)]] | None = None
    """Mixture of round 0; none uses `training.mixture`."""
