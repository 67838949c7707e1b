"""Serving a model: vLLM in a Ray Serve deployment, and endpoints of others."""

from mmst.engine.client import Engine, EngineError

__all__ = ["Engine", "EngineError"]
