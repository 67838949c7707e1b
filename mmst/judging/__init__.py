"""Judges: Ray actors over answers/ and sandbox/. Text in, verdict out."""

from mmst.judging.pool import JudgePool

__all__ = ["JudgePool"]
