"""The configuration of a run: one pydantic tree, written as one YAML file.

The text below a field is its documentation. Unknown keys are errors that name the nearest valid one. This package
imports nothing heavy: a configuration is checked within milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mmst.config.inputs import ModelConfig, ProblemsConfig, ScratchConfig, SplitConfig
from mmst.config.machines import ClusterConfig, EngineConfig, SandboxConfig
from mmst.config.methods import SocraticConfig
from mmst.config.rounds import (
    AgreementConfig,
    EvaluationConfig,
    FilterConfig,
    PromotionConfig,
    RoundsConfig,
    SamplingConfig,
    TranslateConfig,
)
from mmst.config.section import Section
from mmst.config.teacher import EndpointConfig, HintConfig, TeacherConfig
from mmst.config.training import LoraConfig, RoundZeroConfig, ScheduleConfig, TaskLimit, TrainingConfig


class Config(Section):
    """A run."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    """Names the run directory (`runs/<name>`) and the Serve application."""
    seed: int = 0
    """Seed of every random choice."""
    methods: Annotated[list[str], Field(min_length=1)] = ["cot", "pot"]
    """Methods that solve the problems: see `mmst/methods/`."""
    socratic: SocraticConfig = SocraticConfig()
    problems: ProblemsConfig
    model: ModelConfig = ModelConfig()
    round0: RoundZeroConfig = RoundZeroConfig()
    rounds: RoundsConfig = RoundsConfig()
    generator: Literal["self", "teacher"] = "self"
    """The model that writes the solutions and translations of a round: the model in training, or the teacher below."""
    teacher: TeacherConfig | None = None
    """The teacher."""
    sampling: SamplingConfig = SamplingConfig()
    filter: FilterConfig = FilterConfig()
    hint: HintConfig = HintConfig()
    translate: TranslateConfig = TranslateConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    promotion: PromotionConfig = PromotionConfig()
    engine: EngineConfig = EngineConfig()
    cluster: ClusterConfig = ClusterConfig()
    sandbox: SandboxConfig = SandboxConfig()
    tracking: list[Literal["tensorboard", "wandb", "mlflow"]] = []
    """Trackers that also get the figures: `pip install 'mmst[tracking]'`. They write below `tracking/` of the run (W&B
    offline), unless WANDB_MODE or MLFLOW_TRACKING_URI is set."""

    @property
    def samples(self) -> dict[str, int]:
        """Samples per problem of each method in a round."""
        least = 0 if self.filter.label == "gold" else self.filter.agreement.samples
        if self.sampling.per_problem is None:
            return dict.fromkeys(self.methods, max(least, self.sampling.k))
        each, left = divmod(self.sampling.per_problem, len(self.methods))
        return {method: max(least, each + (number < left)) for number, method in enumerate(self.methods)}

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that have a checkpoint of their own."""
        two = "socratic" in self.methods and self.socratic.models == "two"
        return ("solver", "decomposer") if two else ("solver",)

    @model_validator(mode="after")
    def _possible(self) -> Config:
        if self.problems.train is None and self.problems.synthetic is None:
            raise ValueError("problems.train names no file and there is no problems.synthetic")
        if self.filter.label != "gold" and len(self.methods) < self.filter.agreement.methods:
            raise ValueError(
                f"filter.agreement.methods is {self.filter.agreement.methods}, but there are only "
                f"{len(self.methods)} methods to agree"
            )
        if unknown := set(self.evaluation.cascade) - set(self.methods):
            raise ValueError(f"evaluation.cascade names {', '.join(sorted(unknown))}, which `methods` does not")
        if self.generator == "teacher" and self.teacher is None:
            raise ValueError("generator is teacher, but there is no section `teacher`")
        if self.hint.enabled and self.filter.label == "agreement":
            raise ValueError("hint shows reference answers, which filter.label=agreement does not use")
        return self
