"""Networks made elsewhere: their random draws belong to their own seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class OwnDraws(nn.Module):
    """A network around one that draws from PyTorch's global generators, as dropout there does.

    Within `drawing` those generators start from the network's own seed and step, and are afterwards
    as they were. So what is dropped depends on the trial alone.
    """

    state: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("state", torch.zeros((), dtype=torch.int64))

    def seed(self, seed: int) -> None:
        """Start the sequence of draws that belongs to a seed."""
        self.state.fill_(seed % 2**62)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw from the own sequence in training; there is nothing to draw else."""
        if not self.training:
            yield
            return
        on_gpu = self.state.is_cuda
        with torch.random.fork_rng(devices=[self.state.device] if on_gpu else []):
            start = int(self.state)
            torch.default_generator.manual_seed(start)
            if on_gpu:
                torch.cuda.manual_seed(start)
            self.state.add_(1)
            yield
