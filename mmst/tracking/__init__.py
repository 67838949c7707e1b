"""Figures for observers: Ray's metrics, and experiment trackers through their own libraries."""

from mmst.tracking.figures import Figures

__all__ = ["Figures"]
