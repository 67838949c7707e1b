"""How checkpoints are trained, in round 0 and after."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mmst.config.section import Count, Section, Share


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
    """One training stage: how long and how fast."""

    steps: Count | None = None
    """Optimizer steps; none computes them from `epochs`."""
    epochs: Annotated[float, Field(gt=0)] = 3.0
    """Passes over the rows where `steps` is none."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    """Highest learning rate."""
    warmup: Share = 0.03
    """Share of the steps with a rising learning rate."""
    decay: Share = 1.0
    """Share of the steps (after warm-up) over which the rate falls along a cosine to `floor`; then it stays there."""
    floor: Share = 0.02
    """Lowest learning rate, as a share of the highest."""


class TrainingConfig(Section):
    """DeepSpeed under Ray Train."""

    start: Literal["base", "previous"] = "base"
    """Every round starts from the base model (STaR; for a model from scratch: the round-0 checkpoint), or
    from the last promoted round."""
    schedule: ScheduleConfig = ScheduleConfig()
    """Length and learning rate of a round's training."""
    batch: Count = 64
    """Examples per optimizer step, over all workers."""
    micro_batch_tokens: Count | Literal["auto"] = "auto"
    """Most tokens (with padding) of a micro-batch; larger batches accumulate gradients. `auto` is 16,384 or, for a
    larger model, what is fast on CPU or fits into the GPU."""
    max_length: Count = 1024
    """Longest example in tokens; longer ones are left out and counted, never cut."""
    zero_stage: Literal[0, 1, 2, 3] = 1
    """DeepSpeed ZeRO stage."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of weights and activations; optimizer states are float32."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """AdamW's; not on norms and biases."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's."""
    clip: Annotated[float, Field(gt=0)] = 1.0
    """Gradient norm limit."""
    mixture: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Share of the examples of each task (`cot`, `pot`, `pot->cot`, ...) relative to the others; a task that
    is not named has weight 1. Empty: every row once per epoch."""
    pool_limit: Count | None = None
    """At most so many kept solutions (native and translated) of all rounds, drawn with the seed; none takes all.
    For comparing runs at the same amount of data."""
    annotations: Literal["round0", "all"] = "round0"
    """Which annotated solutions rounds train on beside the pool: those that `round0.tasks` chose, or every view of
    every annotated problem as well (the control that uses all annotations directly)."""
    lora: LoraConfig | None = None
    """Train adapters instead of all weights; none trains all."""
    gradient_checkpointing: bool = False
    """Compute activations twice to keep fewer of them."""
    checkpoint_every: Count = 500
    """Steps between DeepSpeed checkpoints inside a stage (for going on after a crash)."""


class TaskLimit(Section):
    """How much of one task round 0 uses."""

    limit: Annotated[int, Field(ge=0)] | None = None
    """At most so many rows, drawn with the seed; none takes all."""


class RoundZeroConfig(Section):
    """Training on the views that came with the data, before the first round (MinT)."""

    enabled: bool = True
    """Off starts from the base model as it is, and round 0 only evaluates it."""
    tasks: dict[str, TaskLimit] = {}
    """Which tasks: a method's name (or its view's) trains on that view, `pot->cot` on pairs of views as translations.
    Different tasks take different problems where a limit is given and there are enough. Empty: all of `views`."""
    views: list[str] = []
    """Which views of the data are trained on (MinT), in round 0 and beside the pool after: `cot`, `program`,
    `system`, `equation`, `prefix`, `socratic`, or the names of their methods. A problem without one is passed over.
    Empty: the view of every configured method."""
    noise: Share = 0.0
    """Share of the views that get a mistake on purpose (a wrong number or operator, a missing step): an experiment's
    question, nothing for real use."""
    schedule: ScheduleConfig | None = None
    """Own schedule; none uses `training.schedule`."""
    mixture: dict[str, Annotated[float, Field(ge=0)]] | None = None
    """Own mixture; none uses `training.mixture`."""
