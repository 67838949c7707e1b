"""Training under DeepSpeed and Ray Train, and tiny models made from nothing."""

from mmst.training.job import TrainingResult, train

__all__ = ["TrainingResult", "train"]
