"""The layer that makes a number of scores of bins."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MeanOfBins(nn.Module):
    """The mean of the bins' middles under the softmax of their scores."""

    middles: Tensor

    def __init__(self, bins: int, low: float, high: float):
        """Build it.

        Args:
            bins: of equal width, for each number.
            low: where the first begins.
            high: where the last ends.
        """
        super().__init__()
        places = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins
        self.register_buffer("middles", (low + (high - low) * places).float(), persistent=False)

    def forward(self, scores: Tensor) -> Tensor:
        """Map scores (batch, numbers times bins) to numbers (batch, numbers)."""
        shares = functional.softmax(scores.float().unflatten(1, (-1, len(self.middles))), dim=-1)
        return shares @ self.middles
