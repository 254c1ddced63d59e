"""Generated ratings, and two ways to predict them from who rates what."""

import numpy as np
import torch
from torch import nn

USERS, ITEMS, RANK = 60, 40, 3


def ratings(share: float = 0.5):
    """Return pairs (n, 2) of a user and an item as token ids, and ratings (n, 1) with noise."""
    generator = np.random.default_rng(0)
    users, items = (generator.normal(size=(count, RANK)) for count in (USERS, ITEMS))
    pairs = np.argwhere(generator.random((USERS, ITEMS)) < share)
    true = (users[pairs[:, 0]] * items[pairs[:, 1]]).sum(axis=1) / np.sqrt(RANK)
    noisy = true + 0.2 * generator.normal(size=len(pairs))
    return pairs + np.array([0, USERS]), noisy[:, None].astype(np.float32)


class Factorization(nn.Module):
    """The product of a vector for each user and one for each item (Koren et al. 2009)."""

    def __init__(self, width: int):
        super().__init__()
        self.vectors = nn.Embedding(USERS + ITEMS, width)
        nn.init.normal_(self.vectors.weight, std=0.1)

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        """Return ratings (batch, 1) of pairs (batch, 2)."""
        return self.vectors(pairs).prod(dim=1).sum(dim=1, keepdim=True)


class Neural(nn.Module):
    """A network that reads both vectors (He et al. 2017, Neural collaborative filtering)."""

    def __init__(self, width: int):
        super().__init__()
        self.vectors = nn.Embedding(USERS + ITEMS, width)
        nn.init.normal_(self.vectors.weight, std=0.1)
        self.head = nn.Sequential(nn.Linear(2 * width, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        """Return ratings (batch, 1) of pairs (batch, 2)."""
        return self.head(self.vectors(pairs).flatten(1))


def network(shape, outputs, *, neural: bool, width: int = 8) -> nn.Module:
    """Make either."""
    del shape, outputs
    return Neural(width) if neural else Factorization(width)
