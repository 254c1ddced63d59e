"""Codes that are found by a rule, not by layers: the nearest centre, a sum of few atoms."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

STEPS = 200
"""Of the search for a sparse code."""


class NearestCentre(nn.Module):
    """1 for the centre that an input is nearest to, 0 for the others.

    Args:
        centres: (code, numbers).
    """

    centres: Tensor

    def __init__(self, centres: NDArray[Any]):
        super().__init__()
        self.register_buffer("centres", torch.tensor(centres, dtype=torch.float32))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (batch, numbers) to codes (batch, code)."""
        nearest = torch.cdist(inputs, self.centres.to(inputs.dtype)).argmin(dim=1)
        return functional.one_hot(nearest, len(self.centres)).to(inputs.dtype)


class SparseCode(nn.Module):
    """The code for which half the squared error plus a penalty on absolute values is smallest.

    It is found by `STEPS` steps of FISTA (Beck and Teboulle 2009).

    Args:
        atoms: (code, numbers).
        mean: of the inputs, (numbers,).
        penalty: of the absolute values.
    """

    atoms: Tensor
    mean: Tensor

    def __init__(self, atoms: NDArray[Any], mean: NDArray[Any], penalty: float):
        super().__init__()
        self.register_buffer("atoms", torch.tensor(atoms, dtype=torch.float32))
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.penalty = penalty

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (batch, numbers) to codes (batch, code)."""
        atoms, mean = self.atoms.to(inputs.dtype), self.mean.to(inputs.dtype)
        products, wanted = atoms @ atoms.T, (inputs - mean) @ atoms.T
        rate = 1 / float(torch.linalg.matrix_norm(products, 2).clamp(min=1e-12))
        code = ahead = torch.zeros_like(wanted)
        pace = 1.0
        for _ in range(STEPS):
            new = functional.softshrink(
                ahead - rate * (ahead @ products - wanted), rate * self.penalty
            )
            after = (1 + (1 + 4 * pace**2) ** 0.5) / 2
            ahead = new + (pace - 1) / after * (new - code)
            code, pace = new, after
        return code
