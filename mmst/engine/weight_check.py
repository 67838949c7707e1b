"""WeightCheck that an engine holds a checkpoint: its log-probabilities of fixed tokens are those of plain transformers.

Checksums of an engine's weights prove nothing: kernels multiply with packed copies that a checksum doesn't see, and
caches outlive the weights that filled them. What the engine computes can be compared.

The reference is computed once per change, on the CPU of the replica, from the directory alone. That takes well
under a second for a small model and about as long as reading the weights for a large one; whoever writes a large
checkpoint (on a GPU, with the model still in memory) saves the others that time by `write_weight_check`.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

FILE = "weight_check.json"
PROMPTS, LENGTH = 4, 16
_SAMPLE = 2**20

Logprobs = list[list[float]]


@dataclass(frozen=True)
class Tolerance:
    """How far log-probabilities (natural) may lie from the reference: at most, and on average over all tokens.

    In float32 two right implementations differ by some 1e-5 and a stale layer by whole units. In half precision
    noise reaches tenths for single tokens, so the mean decides, and the change of checkpoint must be visible too
    (see `WeightCheck.fault`).
    """

    largest: float
    mean: float


TOLERANCES = {"float32": Tolerance(2e-3, 5e-4), "bfloat16": Tolerance(4.0, 0.25), "float16": Tolerance(2.0, 0.1)}


@dataclass(frozen=True)
class WeightCheck:
    """Log-probabilities of every token but the first of PROMPTS fixed prompts of LENGTH tokens, by transformers."""

    weights: str
    dtype: str
    prompts: list[list[int]]
    logprobs: Logprobs

    def difference(self, found: Logprobs) -> tuple[float, float]:
        """Largest and mean absolute difference; infinite where a figure is missing or not a number."""
        pairs = zip(chain(*self.logprobs), chain(*found), strict=True)
        gaps = [abs(reference - value) for reference, value in pairs]
        if any(gap != gap for gap in gaps):
            return float("inf"), float("inf")
        return max(gaps), sum(gaps) / len(gaps)

    def fault(self, found: Logprobs, before: WeightCheck | None = None) -> str | None:
        """Why an engine that gave `found` does not hold this checkpoint; none where it does.

        `before` is the proof of what the engine held until now: it must have been left behind.
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


def proof_of(checkpoint: str | Path, dtype: str) -> WeightCheck:
    """The proof that came with the checkpoint where it fits, else a fresh one.

    `dtype`: what the engine computes in; the reference of a float32 engine is computed in float32.
    """
    try:
        weight_check = WeightCheck(**json.loads((Path(checkpoint) / FILE).read_text()))
        if weight_check.dtype == dtype and weight_check.weights == weights_of(checkpoint):
            return weight_check
    except (OSError, ValueError, TypeError):
        pass  # none, or not one of ours: make it
    return compute_weight_check(checkpoint, dtype)


def compute_weight_check(checkpoint: str | Path, dtype: str) -> WeightCheck:
    """What plain transformers computes from the checkpoint, on CPU."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(str(checkpoint), dtype=getattr(torch, dtype)).eval()
    sizes = model.config.get_text_config()
    draw = random.Random(0)
    length = min(LENGTH, getattr(sizes, "max_position_embeddings", LENGTH + 1) - 1)
    prompts = [[draw.randrange(sizes.vocab_size) for _ in range(length)] for _ in range(PROMPTS)]
    tokens = torch.tensor(prompts)
    with torch.inference_mode():
        scores = model(tokens, use_cache=False).logits[:, :-1].float().log_softmax(-1)
    logprobs = scores.gather(-1, tokens[:, 1:, None])[..., 0].tolist()
    return WeightCheck(weights_of(checkpoint), dtype, prompts, logprobs)


def write_weight_check(checkpoint: Path, dtype: str) -> None:
    """Put the proof into a checkpoint directory, so that no engine needs to compute it."""
    (checkpoint / FILE).write_text(json.dumps(asdict(compute_weight_check(checkpoint, dtype))))


def weights_of(checkpoint: str | Path) -> str:
    """Identifies the weights of a directory by the names, sizes, beginnings and ends of their files."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(checkpoint).glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size};".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            file.seek(max(0, size - _SAMPLE))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()
