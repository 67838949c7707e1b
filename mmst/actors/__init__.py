"""Verifiers: Ray actors over answers/ and sandbox/. Text in, verdict out."""

from mmst.actors.pool import VerifierPool

__all__ = ["VerifierPool"]
