"""What a round does: sampling, filtering, translating, evaluating, promoting."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mmst.config.section import Count, Section, Share


class RoundsConfig(Section):
    """How many rounds, and when to stop."""

    max: Annotated[int, Field(ge=0)] = 2
    """Rounds after round 0."""
    patience: Count = 1
    """Stop after so many rounds in a row that were not promoted."""
    problems: Count | None = None
    """Problems that one round solves, drawn anew each round; none takes all of `problems.train`."""
    keep: Count | None = None
    """Keep the checkpoints of so many newest rounds, besides the best by dev problems, round 0's and the one that the
    next round starts from; none keeps all. Everything else of a round always stays."""
    generate: bool = True
    """False trains on the round-0 data alone for as many steps: the control of an experiment."""


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
    samples: Count = 1
    """Each method solves a problem at least this many times where agreement makes labels. Asked twice, a method can
    contradict itself; with `methods: 1` the others then speak for it."""
    min_samples: Count = 2
    """At least this many samples, over all methods, must give the answer."""
    share: Share = 0.5
    """At least this share of all samples of the problem, over all methods, must give the answer. A sample without an
    answer counts against it."""
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
    math_verify: bool = False
    """Ask Math-Verify, in a process with a time limit, where canonical forms cannot tell whether two answers are equal.
    Otherwise such a solution gets the reason `undecided`."""
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
    samples: Count = 1
    """Answers per problem and method that votes look at: the first is greedy and is the method's own accuracy,
    further ones are drawn with `sampling.temperature`."""
    cascade: list[str] = []
    """Order of the methods in a cascade, which takes the first one that gives an answer. Empty: those that are
    executed, then the others, each as in `methods`."""
