"""The model being served: vLLM inside a Ray Serve deployment, and the driver's hold on it."""

from mmst.engine.client import Engine, EngineError

__all__ = ["Engine", "EngineError"]
