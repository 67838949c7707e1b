"""What a run is asked to do: one pydantic tree, which is one YAML file.

Every field is documented by the text below it; unknown keys are errors that name the nearest valid one.
This module imports nothing heavy, so that checking a configuration takes milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mmst.problems.synthetic.spec import SyntheticSpec

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of the configuration: immutable, without unknown keys, documented field by field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class ScratchConfig(Section):
    """A Llama built and trained from nothing, for trying things out on a laptop."""

    width: Count = 128
    """Hidden size."""
    layers: Count = 2
    """Transformer blocks."""
    heads: Count = 4
    """Attention heads; must divide the width."""
    context: Count = 512
    """Longest sequence, in tokens."""
    tie_embeddings: bool = False
    """Share input and output embeddings. Untied is exact under vLLM's in-place weight change on CPU."""
    numbers: Literal["whole", "digits"] = "whole"
    """One token per number seen in the data, or one per digit."""
    vocabulary: Count = 4000
    """Most entries of the tokenizer, which is trained on the texts of the train and annotated problems."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> ScratchConfig:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        return self


class ModelConfig(Section):
    """The base model: a local Hugging Face directory, a hub id, or nothing (from scratch)."""

    path: str | None = None
    """Directory or hub id; none trains a new model of the size under `scratch` in round 0."""
    style: Literal["auto", "base", "chat", "tuned"] = "auto"
    """How to ask it: examples in the prompt, its chat template, or question then instruction.
    `auto` reads the checkpoint's mmst.json, else takes `chat` where there is a chat template, else `base`."""
    scratch: ScratchConfig = ScratchConfig()
    """The model to make where `path` is none."""


class SplitConfig(Section):
    """How to cut dev and test problems from `problems.train` when no file is given for them."""

    dev: Share = 0.1
    """Share of the problems."""
    test: Share = 0.1
    """Share of the problems."""


class ProblemsConfig(Section):
    """Which problems: train is what rounds solve, dev decides, test is only reported, annotated feeds round 0."""

    train: str | None = None
    """JSONL or Parquet file, or a `datasets` name or directory; none takes the synthetic problems below."""
    dev: str | None = None
    """None cuts it from train by `split`."""
    test: str | None = None
    """None cuts it from train by `split`."""
    annotated: str | None = None
    """Problems whose views round 0 trains on; none takes the views of train."""
    synthetic: SyntheticSpec | None = None
    """Makes all four sets where no file is given for train."""
    fields: dict[str, str] = {}
    """Column of the data for each field of a problem, dots for nested ones: `{question: problem,
    answer: solution.final, views.cot: rationale}`. Fields that are not named keep their own names."""
    answer_from: str | None = None
    """Regular expression whose group 1 is the answer inside the answer column (GSM8K: `#### (.+)`)."""
    hub_split: str = "train"
    """Split to read from a `datasets` source."""
    limit: Count | None = None
    """At most so many problems per set (the first ones), for trying out; none takes all."""
    split: SplitConfig = SplitConfig()
    """Shares of train that become dev and test problems where no file is given."""
    overlap: Literal["remove", "refuse", "allow"] = "remove"
    """What happens to train and annotated problems whose question is also a dev or test problem (and dev
    problems that are test problems): taken out with a count, refused, or left."""
    overlap_ngram: Count | None = None
    """Besides equal questions, count a shared run of this many words as overlap (13 in ToRA, TinyGSM)."""


class SamplingConfig(Section):
    """How solutions are sampled."""

    k: Count = 4
    """Samples per problem and method in a round."""
    per_problem: Count | None = None
    """Samples per problem in all, dealt out evenly over the methods; instead of `k`. Runs with different methods
    then cost the same."""
    temperature: Annotated[float, Field(ge=0)] = 0.8
    """0 always takes the likeliest token."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Sample from the likeliest tokens with this much probability together (nucleus sampling)."""
    max_tokens: Count = 256
    """Longest solution, in tokens."""


class AgreementConfig(Section):
    """When the methods' own answers are trusted as a label (self-consistency across methods)."""

    methods: Count = 2
    """The answer must be the plurality (ties lose) of at least this many methods."""
    share: Share = 0.5
    """Least share of all readable samples of the problem, over all methods, that must give the answer."""
    raise_to: Share | None = None
    """Share from the second round on (ScPO raises 0.5 to 0.7); none keeps `share`."""


class FilterConfig(Section):
    """Which solutions a round keeps."""

    label: Literal["gold", "agreement", "gold_or_agreement"] = "gold"
    """Trust reference answers, agreement between methods, or agreement where there is no reference answer."""
    agreement: AgreementConfig = AgreementConfig()
    """When agreement is enough."""
    cap: Count = 2
    """At most so many native solutions per problem and method in the pool, over all rounds."""
    balance: float | None = Field(default=None, gt=0)
    """No method keeps more than this many times the rows of the method that kept fewest; none: no limit."""
    check_calculations: bool = True
    """Drop a rationale that states a false calculation even when its answer is right (RFT)."""


class TranslateConfig(Section):
    """Rewriting kept solutions into the other methods by the same model (MMST, section 3)."""

    enabled: bool = True
    """Off trains every method on its own solutions only."""
    per_problem: Count = 2
    """At most so many kept solutions per problem and target method are translated."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 always takes the likeliest token."""
    include_question: bool = True
    """Show the question beside the solution. Tiny models translate better from the solution alone."""
    train_pairs: bool = True
    """Train on kept translations as translations too (`pot->cot`), so that the skill isn't lost."""


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
    micro_batch_tokens: Count = 16384
    """Most tokens (padding included) that a worker takes at once; larger batches accumulate gradients."""
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
    """Which tasks: a method's name trains on its view, `pot->cot` on pairs of views as translations. Different
    tasks take different problems where a limit is given and there are enough. Empty: every configured method."""
    schedule: ScheduleConfig | None = None
    """Own schedule; none uses `training.schedule`."""
    mixture: dict[str, Annotated[float, Field(ge=0)]] | None = None
    """Own mixture; none uses `training.mixture`."""
    flat_at: Share = 0.8
    """Evaluate a checkpoint at this share of the steps too; round 0 is flat when every method's dev accuracy
    there is within 3 points of the final one. 1 switches it off."""


class RoundsConfig(Section):
    """How many rounds, and when to stop."""

    max: Annotated[int, Field(ge=0)] = 2
    """Rounds after round 0."""
    patience: Count = 1
    """Stop after so many rounds in a row that were not promoted."""
    problems: Count | None = None
    """Problems that one round solves, drawn anew each round; none takes all of `problems.train`."""
    generate: bool = True
    """False trains on the round-0 data alone for as many steps: the control of an experiment."""


class PromotionConfig(Section):
    """When a new checkpoint takes over. Only dev problems are looked at."""

    metric: Literal["vote", "mean", "best"] = "mean"
    """What must get better: the vote, the mean over the methods, or the best method. Where dev has no
    reference answers: the share of problems on which methods agree."""
    tolerance: Share = 0.0
    """Promote also when the metric falls by no more than this."""


class EvaluationConfig(Section):
    """What is measured after every round."""

    max_tokens: Count | None = None
    """Longest solution; none uses `sampling.max_tokens`."""
    limit: Count | None = None
    """At most so many dev and test problems each (the first ones); none takes all."""


class EngineConfig(Section):
    """vLLM in a Ray Serve deployment."""

    replicas: Annotated[int, Field(ge=0)] | None = 1
    """Fixed number of replicas; none autoscales between the two below."""
    min_replicas: Annotated[int, Field(ge=0)] = 1
    """Fewest replicas when autoscaling."""
    max_replicas: Count = 1
    """Most replicas when autoscaling."""
    cpus: Annotated[float, Field(ge=0)] = 1.0
    """Logical CPUs of one replica."""
    gpus: Annotated[float, Field(ge=0)] = 0.0
    """GPUs of one replica; 0 runs vLLM's CPU build."""
    tensor_parallel: Count = 1
    """GPUs that hold one copy of the model together."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto` is float32 on CPU, the model's own on GPU."""
    max_model_len: Count | None = None
    """Longest prompt and solution together, in tokens; none reads it from the model."""
    max_num_seqs: Count = 512
    """Requests that one replica works on at once."""
    kv_cache_bytes: Count | None = 2**28
    """Memory for the KV cache on CPU, bytes; on GPUs `gpu_memory_utilization` counts."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of a GPU's memory that vLLM takes."""
    enforce_eager: bool = False
    """Skip compilation and CUDA graphs (always on CPU)."""
    max_retries: Annotated[int, Field(ge=0)] = 3
    """How often a request that died with its replica is asked again."""
    start_timeout: Annotated[float, Field(gt=0)] = 600.0
    """Seconds to wait for a replica to come up."""


class ClusterConfig(Section):
    """Where it runs."""

    placement: Literal["shared", "split"] = "split"
    """`split`: engine and trainer have devices of their own, the engine stays up and changes its checkpoint in
    place. `shared`: they use the same devices in turn, the engine is started and taken down every round."""
    address: str | None = None
    """Ray address; none joins the cluster this process belongs to (RAY_ADDRESS, a submitted job), else starts
    a private one that ends with the run."""
    train_workers: Count = 1
    """Data-parallel workers of the trainer."""
    train_cpus: Annotated[float, Field(gt=0)] = 1.0
    """Logical CPUs of one train worker."""
    train_threads: Count | None = None
    """Threads of one train worker; none takes its logical CPUs, at least 1."""
    train_gpus: Annotated[float, Field(ge=0)] = 0.0
    """GPUs of one train worker."""
    judges: Count | None = None
    """Judge actors (0 logical CPUs each); none takes one per core, at most 8."""
    in_flight: Count = 512
    """Problems × methods × samples that are being solved at the same time, per replica."""
    resource_timeout: Annotated[float, Field(gt=0)] = 600.0
    """Seconds to wait for resources that the cluster doesn't have, before giving up."""


class SandboxConfig(Section):
    """Limits for model-written programs."""

    cpu_seconds: Annotated[float, Field(gt=0)] = 5.0
    """CPU time of one program; this decides a time-out."""
    wall_seconds: Annotated[float, Field(gt=0)] = 15.0
    """Wall time of one program, generous, for those that sleep."""
    memory_bytes: Count = 2**30
    """Address space of one program."""
    output_bytes: Count = 64 * 1024
    """Most that one program may print."""
    allow_weak: bool = False
    """Run programs even where the kernel offers neither Landlock nor seccomp. Only on machines to throw away."""


class Config(Section):
    """A run."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the run directory (`runs/<name>`) and the Serve application."""
    seed: int = 0
    """Every random choice derives from it."""
    methods: Annotated[list[str], Field(min_length=1)] = ["cot", "pot"]
    """Which methods solve: see `mmst/methods/`."""
    problems: ProblemsConfig
    model: ModelConfig = ModelConfig()
    round0: RoundZeroConfig = RoundZeroConfig()
    rounds: RoundsConfig = RoundsConfig()
    sampling: SamplingConfig = SamplingConfig()
    filter: FilterConfig = FilterConfig()
    translate: TranslateConfig = TranslateConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    promotion: PromotionConfig = PromotionConfig()
    engine: EngineConfig = EngineConfig()
    cluster: ClusterConfig = ClusterConfig()
    sandbox: SandboxConfig = SandboxConfig()

    @property
    def samples(self) -> dict[str, int]:
        """Samples per problem of each method in a round."""
        if self.sampling.per_problem is None:
            return dict.fromkeys(self.methods, self.sampling.k)
        each, left = divmod(self.sampling.per_problem, len(self.methods))
        return {method: each + (number < left) for number, method in enumerate(self.methods)}

    @model_validator(mode="after")
    def _possible(self) -> Config:
        if self.problems.train is None and self.problems.synthetic is None:
            raise ValueError("problems.train names no file and there is no problems.synthetic")
        if self.filter.label != "gold" and len(self.methods) < self.filter.agreement.methods:
            raise ValueError(
                f"filter.agreement.methods is {self.filter.agreement.methods}, but there are only "
                f"{len(self.methods)} methods to agree"
            )
        return self
