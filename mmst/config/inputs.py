"""What a run starts from: the model and the problems."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from mmst.config.section import Count, Section, Share
from mmst.config.synthetic import SyntheticSpec


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
