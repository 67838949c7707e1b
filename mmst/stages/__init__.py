"""The stages of a round, one file each: every stage reads files, calls the parts below, and writes files."""

from mmst.stages.evaluate import evaluate
from mmst.stages.filter import filter_
from mmst.stages.generate import generate
from mmst.stages.promote import promote
from mmst.stages.train import train
from mmst.stages.translate import translate

__all__ = ["evaluate", "filter_", "generate", "promote", "train", "translate"]
