"""Examples as tensors: several in a row, masked from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mmst.training.plan import Row


@dataclass(frozen=True)
class Batch:
    """A micro-batch of R rows, W tokens wide.

    `tokens`, `positions` (within the example) and `example` (0 is padding) are int64 [R, W]. `predicts`, bool [R, W],
    marks where the next token belongs to a completion; `targets`, int64 [sum of `predicts`], are those next tokens.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    example: torch.Tensor
    predicts: torch.Tensor
    targets: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """A copy on another device."""
        return Batch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__dataclass_fields__))

    def attention(self, dtype: torch.dtype) -> torch.Tensor:
        """The additive attention mask [R, 1, W, W]: 0 for earlier tokens of the same example, else the lowest number.
        Padding attends to itself, since a row of the mask without any 0 would give NaN."""
        same = self.example[:, :, None] == self.example[:, None, :]
        lowest = torch.full(same.shape, torch.finfo(dtype).min, dtype=dtype, device=same.device)
        return lowest.masked_fill_(same.tril(), 0).unsqueeze(1)


def assemble(rows: Sequence[Row], tokens: np.ndarray, starts: np.ndarray, prompts: np.ndarray) -> Batch:
    """Lay out rows of examples (indices into `starts` and `prompts`) as tensors; see `Encoded` for the arrays.

    An empty list of rows becomes one token of padding.
    """
    width = max((sum(int(starts[e + 1] - starts[e]) for e in row) for row in rows), default=1)
    shape = (max(1, len(rows)), width)
    ids, positions, example = (np.zeros(shape, np.int64) for _ in range(3))
    predicts = np.zeros(shape, bool)
    targets: list[np.ndarray] = [np.zeros(0, np.int64)]
    for line, row in enumerate(rows):
        at = 0
        for number, e in enumerate(row, start=1):
            text = tokens[starts[e] : starts[e + 1]]
            span, prompt = slice(at, at + len(text)), int(prompts[e])
            ids[line, span], positions[line, span], example[line, span] = text, np.arange(len(text)), number
            first = max(prompt, 1)  # the first token of an example is never predicted
            predicts[line, at + first - 1 : at + len(text) - 1] = True
            targets.append(text[first:].astype(np.int64))
            at += len(text)
    return Batch(*map(torch.from_numpy, (ids, positions, example, predicts, np.concatenate(targets))))
