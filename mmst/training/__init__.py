"""Training under DeepSpeed and Ray Train, and tiny models built from scratch."""

from mmst.training.job import TrainingResult, train
from mmst.training.task import TrainingRequest

__all__ = ["TrainingRequest", "TrainingResult", "train"]
