"""Rounds: sampling, filtering, translating, evaluating, promoting."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mmst.config.section import Count, Section, Share


class RoundsConfig(Section):
    """How many rounds, and when to stop."""

    max: Annotated[int, Field(ge=0)] = 2
    """Number of rounds after round 0."""
    patience: Count = 1
    """Stop after this many rounds in a row without promotion."""
    problems: Count | None = None
    """Problems per round, drawn anew for each round; none takes all of `problems.train`."""
    keep: Count | None = None
    """Keep the checkpoints of this many newest rounds, of the best round on dev problems, of round 0, and the promoted
    one; none keeps all. All other files of a round are always kept."""
    generate: bool = True
    """False trains on the data of round 0 only: the control *further steps* of an experiment."""


class SamplingConfig(Section):
    """How solutions are sampled."""

    k: Count = 4
    """Samples per problem and method in a round."""
    per_problem: Count | None = None
    """Total samples per problem, divided evenly among the methods; replaces `k`. Runs with different numbers of methods
    then cost the same."""
    temperature: Annotated[float, Field(ge=0)] = 0.8
    """0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling: sample from the most likely tokens with this total probability."""
    max_tokens: Count = 256
    """Maximum length of a solution in tokens."""


class AgreementConfig(Section):
    """When the agreement of solutions makes a label (self-consistency across methods)."""

    methods: Count = 2
    """At least this many methods must give the answer most often (a tie does not count)."""
    samples: Count = 1
    """At least this many samples per problem and method, so that a method can contradict itself."""
    min_samples: Count = 2
    """At least this many samples, over all methods, must give the answer."""
    share: Share = 0.5
    """At least this share of all samples of the problem, over all methods, must give the answer. A sample without an
    answer counts against it."""
    raise_to: Share | None = None
    """`share` from the second round on (ScPO raises 0.5 to 0.7); none keeps it."""


class FilterConfig(Section):
    """Which solutions a round keeps."""

    label: Literal["gold", "agreement", "gold_or_agreement"] = "gold"
    """Label problems by reference answers, by agreement, or by agreement only where there is no reference answer."""
    agreement: AgreementConfig = AgreementConfig()
    """Thresholds of agreement."""
    cap: Count = 2
    """Maximum number of native solutions per problem and method in the pool, over all rounds."""
    balance: float | None = Field(default=None, gt=0)
    """No method keeps more than this many times the solutions of the method that kept fewest; none is no limit."""
    math_verify: bool = False
    """Compare answers by Math-Verify, in a process with a time limit, where their canonical forms cannot decide.
    Otherwise such solutions get the reason `undecided`."""
    check_calculations: bool = True
    """Drop rationales with a false calculation even if their answer is right (RFT)."""


class TranslateConfig(Section):
    """Translation of kept solutions into the other methods by the same model (MMST, section 3)."""

    enabled: bool = True
    """False trains every method on its own solutions only."""
    per_problem: Count = 2
    """Maximum number of translations per problem and target method."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 is greedy."""
    include_question: bool = True
    """Show the question with the solution. Tiny models translate better from the solution alone."""
    train_pairs: bool = True
    """Also train the task of translating (`pot->cot`) on kept translations, so that the model does not forget it."""


class PromotionConfig(Section):
    """When a new checkpoint replaces the current one. Only dev problems count."""

    metric: Literal["vote", "mean", "best"] = "mean"
    """Accuracy to improve: of the majority vote, the mean over the methods, or the best method. Without reference
    answers: the share of problems on which methods agree."""
    tolerance: Share = 0.0
    """Promote even if the metric falls by up to this much."""


class EvaluationConfig(Section):
    """Evaluation after every round."""

    max_tokens: Count | None = None
    """Maximum length of an answer in tokens; none uses `sampling.max_tokens`."""
    limit: Count | None = None
    """Evaluate the first so many dev and test problems; none takes all."""
    samples: Count = 1
    """Answers per problem and method. The first is greedy and gives the method's accuracy; the others are sampled with
    `sampling.temperature`, and count in votes, pass@k and maj@k."""
    cascade: list[str] = []
    """Order of the methods in a cascade, which takes the first answer. Empty: executed methods, then the others, in the
    order of `methods`."""
