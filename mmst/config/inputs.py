"""The model and the problems that a run starts from."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from mmst.config.section import Count, Section, Share
from mmst.config.synthetic import SyntheticSpec


class ScratchConfig(Section):
    """A Llama built and trained from scratch, to try things out on a laptop."""

    width: Count = 128
    """Hidden size."""
    layers: Count = 2
    """Transformer blocks."""
    heads: Count = 4
    """Attention heads; must divide the width."""
    context: Count = 512
    """Longest sequence, in tokens."""
    tie_embeddings: bool = False
    """Share input and output embeddings."""
    numbers: Literal["whole", "digits"] = "whole"
    """One token per number seen in the data, or one per digit."""
    vocabulary: Count = 4000
    """Largest vocabulary of the tokenizer, which is built from the train and annotated problems."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> ScratchConfig:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        return self


class ModelConfig(Section):
    """The base model: a local Hugging Face directory, a hub id, or a new model."""

    path: str | None = None
    """Directory or hub id; null trains a new model of the size under `scratch` in round 0."""
    style: Literal["auto", "base", "chat", "tuned"] = "auto"
    """How it is prompted: `base` with few-shot examples, `chat` by its chat template, `tuned` by question and
    instruction. `auto` reads the checkpoint's mmst.json, else is `chat` if there is a chat template, else `base`."""
    scratch: ScratchConfig = ScratchConfig()
    """The new model if `path` is null."""


class SplitConfig(Section):
    """Dev and test problems that are split off `problems.train` if no file is given for them."""

    dev: Share = 0.1
    """Share of the problems."""
    test: Share = 0.1
    """Share of the problems."""


class ProblemsConfig(Section):
    """The problems: rounds solve train, dev decides promotion, test is only reported, round 0 trains on annotated."""

    train: str | None = None
    """JSONL or Parquet file, or a `datasets` name or directory; null uses the synthetic problems below."""
    dev: str | None = None
    """Null splits it off train by `split`."""
    test: str | None = None
    """Null splits it off train by `split`."""
    annotated: str | None = None
    """Problems whose views round 0 trains on; null uses the views of train."""
    synthetic: SyntheticSpec | None = None
    """Generates all four sets if no file is given for train."""
    fields: dict[str, str] = {}
    """Column of each field of a problem, with dots for nested ones: `{question: problem, answer: solution.final,
    views.cot: rationale}`. Fields that are not named have columns of their own name."""
    answer_from: str | None = None
    """Regular expression whose group 1 is the answer inside the answer column (GSM8K: `#### (.+)`)."""
    hub_split: str = "train"
    """Split to read from a `datasets` source."""
    limit: Count | None = None
    """Largest number of problems per set (the first ones), to try things out; null uses all."""
    split: SplitConfig = SplitConfig()
    """Shares of train that become dev and test problems if no file is given for them."""
    overlap: Literal["remove", "refuse", "allow"] = "remove"
    """What happens to train and annotated problems whose question is also a dev or test problem (and to dev problems
    that are test problems): removed and counted, refused, or allowed."""
    overlap_ngram: Count | None = None
    """Besides equal questions, count a shared run of this many words as overlap (13 in ToRA, TinyGSM)."""

    @model_validator(mode="after")
    def _nothing_ignored(self) -> ProblemsConfig:
        given = [name for name in ("dev", "test", "annotated") if getattr(self, name) is not None]
        if self.train is None and given:
            raise ValueError(f"{given[0]} is ignored without train: synthetic makes all four sets")
        return self
