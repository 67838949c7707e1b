"""Ray actors that verify completions, and the solver that feeds them."""

from mmst.actors.pool import VerifierPool

__all__ = ["VerifierPool"]
