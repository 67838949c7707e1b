"""A check that an engine holds a checkpoint: its log-probabilities of fixed tokens equal those of the trained model.

Checksums of an engine's weights prove nothing: kernels multiply with packed copies that a checksum does not see, and
caches outlive the weights that filled them. So what the engine computes is compared.

The trainer writes the reference into every checkpoint at export, with the trained model still in memory. For other
checkpoints each replica computes it once with plain transformers, on CPU.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from mmst.model_directory import trusts_code

FILE = "weight_check.json"
PROMPTS, LENGTH = 4, 16
_SAMPLE = 2**20

Logprobs = list[list[float]]


@dataclass(frozen=True)
class Tolerance:
    """Largest and mean difference of log-probabilities (natural) that is accepted, over all tokens.

    In float32 two correct implementations differ by about 1e-5 and a stale layer by whole units. In half precision
    noise reaches tenths for single tokens, so the mean decides, and the change of checkpoint must be visible too
    (see `WeightCheck.fault`).
    """

    largest: float
    mean: float


TOLERANCES = {"float32": Tolerance(2e-3, 5e-4), "bfloat16": Tolerance(4.0, 0.25), "float16": Tolerance(2.0, 0.1)}


@dataclass(frozen=True)
class WeightCheck:
    """Reference log-probabilities of every token but the first of PROMPTS fixed prompts of LENGTH tokens.

    `weights` identifies the weight files (`weights_of`), `dtype` is what the reference was computed in.
    """

    weights: str
    dtype: str
    prompts: list[list[int]]
    logprobs: Logprobs

    def difference(self, found: Logprobs) -> tuple[float, float]:
        """Largest and mean absolute difference; infinite if a value is not a number."""
        pairs = zip(chain(*self.logprobs), chain(*found), strict=True)
        gaps = [abs(reference - value) for reference, value in pairs]
        if any(gap != gap for gap in gaps):
            return float("inf"), float("inf")
        return max(gaps), sum(gaps) / len(gaps)

    def fault(self, found: Logprobs, before: WeightCheck | None = None) -> str | None:
        """Why an engine that computed `found` does not hold this checkpoint, or None if it does.

        `before` is the check of the checkpoint that the engine held until now: its values must have changed.
        """
        allowed = TOLERANCES[self.dtype]
        largest, mean = self.difference(found)
        if largest > allowed.largest or mean > allowed.mean:
            return (
                f"log-probabilities of {len(self.prompts)} fixed prompts differ from plain transformers by up to "
                f"{largest:.2g} (mean {mean:.2g}); {allowed.largest:g} (mean {allowed.mean:g}) "
                f"is allowed in {self.dtype}"
            )
        if before is not None and before.logprobs != self.logprobs and before.difference(found)[1] <= mean:
            return f"log-probabilities are no nearer to this checkpoint than to the one before (mean {mean:.2g})"
        return None


def weight_check_of(checkpoint: str | Path, dtype: str) -> WeightCheck:
    """The check that came with the checkpoint if it fits its weights and `dtype` (the engine's), else a new one."""
    try:
        saved = WeightCheck(**json.loads((Path(checkpoint) / FILE).read_text()))
        if saved.dtype == dtype and saved.weights == weights_of(checkpoint):
            return saved
    except (OSError, ValueError, TypeError):
        pass  # missing, or written by something else
    return compute_weight_check(checkpoint, dtype)


def compute_weight_check(checkpoint: str | Path, dtype: str) -> WeightCheck:
    """What plain transformers computes from the checkpoint, on CPU."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        str(checkpoint), dtype=getattr(torch, dtype), use_safetensors=True, trust_remote_code=trusts_code()
    ).eval()
    prompts = check_prompts(model.config)
    return WeightCheck(weights_of(checkpoint), dtype, prompts, logprobs_of(model, prompts))


def write_weight_check(checkpoint: Path, weight_check: WeightCheck) -> None:
    """Write the reference into the directory of its weights, so that no replica computes it."""
    (checkpoint / FILE).write_text(json.dumps(asdict(replace(weight_check, weights=weights_of(checkpoint)))))


def check_prompts(config: Any) -> list[list[int]]:
    """The fixed prompts for a model with this transformers configuration."""
    sizes = config.get_text_config()
    draw = random.Random(0)
    length = min(LENGTH, getattr(sizes, "max_position_embeddings", LENGTH + 1) - 1)
    return [[draw.randrange(sizes.vocab_size) for _ in range(length)] for _ in range(PROMPTS)]


def logprobs_of(model: Any, prompts: Sequence[Sequence[int]], device: Any = "cpu") -> Logprobs:
    """Log-probabilities that a model in evaluation mode gives to every token but the first."""
    import torch

    tokens = torch.tensor(prompts, device=device)
    with torch.no_grad():
        scores = model(input_ids=tokens, use_cache=False).logits[:, :-1].float().log_softmax(-1)
    return scores.gather(-1, tokens[:, 1:, None])[..., 0].tolist()


def weights_of(checkpoint: str | Path) -> str:
    """A digest of the names, sizes, beginnings and ends of the weight files of a directory."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(checkpoint).glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size};".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            file.seek(max(0, size - _SAMPLE))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()
