"""Figures for whoever looks from outside: Ray's metrics, and trackers by their own libraries."""

from mmst.tracking.figures import Figures

__all__ = ["Figures"]
