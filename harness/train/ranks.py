"""Several processes that train one network together, each on a part of every batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn

from harness.data_spec import IGNORED


class Ranks(Protocol):
    """The processes that train a network together; each holds all of it, and all its data."""

    rank: int
    """Of this process, from 0."""
    count: int
    """Of all processes."""

    def add(self, values: Tensor) -> None:
        """Replace values by their sums over all processes: the same bits in each."""

    def largest(self, values: Tensor) -> None:
        """Replace values by the largest of all processes."""

    def agree(self, number: int) -> bool:
        """Tell whether all processes have the same number."""


class RankLostError(BaseException):
    """Another process is gone: nothing that the trial did, and so none of its exceptions."""


class TorchRanks:
    """The processes of PyTorch's default group, which must have been set up.

    Raises:
        RankLostError: by all that needs the other processes, if one of them is gone.
    """

    def __init__(self, device: torch.device):
        self.rank, self.count = distributed.get_rank(), distributed.get_world_size()
        self._device = device

    def add(self, values: Tensor) -> None:
        """See `Ranks`."""
        self._reduce(values, distributed.ReduceOp.SUM)

    def largest(self, values: Tensor) -> None:
        """See `Ranks`."""
        self._reduce(values, distributed.ReduceOp.MAX)

    def agree(self, number: int) -> bool:
        """See `Ranks`."""
        bounds = torch.tensor([number, -number], device=self._device)
        self.largest(bounds)
        return bool(bounds[0] == -bounds[1])

    def _reduce(self, values: Tensor, operation: Any) -> None:
        try:
            distributed.all_reduce(values, op=operation)
        except RuntimeError as error:
            raise RankLostError(str(error).partition("\n")[0]) from error


def own_part(ranks: Ranks, targets: Tensor) -> tuple[slice, float]:
    """Return which examples of a batch a process computes, and what its means are weighted by.

    A last batch may be smaller than the number of processes: then some compute without counting.

    Args:
        ranks: that train together, with the same batch.
        targets: of one member, (1, batch, ...).
    """
    part = slice(ranks.rank, None, ranks.count)
    own = targets[:, part]
    if own.shape[1] == 0:
        return slice(0, 1), 0.0
    return part, _counted(own)


def averaged(ranks: Ranks, values: Sequence[Tensor], weight: float) -> list[Tensor]:
    """Return the weighted mean over all processes of some tensors of one kind of number.

    The parts are weighted by what their means are means of, so that the result is the mean over the
    batch, however it divides.
    """
    flat = torch.cat([value.flatten() for value in values])
    total = torch.tensor([weight], dtype=torch.float64, device=flat.device)
    flat.mul_(weight)
    ranks.add(total)
    ranks.add(flat)
    flat.div_(total[0].to(flat.dtype))
    parts = flat.split([value.numel() for value in values])
    return [new.view_as(old) for new, old in zip(parts, values, strict=True)]


def why_not_shared(network: nn.Module) -> str | None:
    """Say why a network cannot be trained on parts of its batches, or None if it can."""
    if any(name.rpartition(".")[2] == "running_mean" for name, _ in network.named_buffers()):
        return (
            "batch normalization would see only a part of each batch on each of several workers;"
            " use norm: layer or group, or resources.workers: 1"
        )
    return None


def _counted(targets: Tensor) -> float:
    """Return how many targets a mean loss is a mean of."""
    if targets.is_floating_point() or targets.ndim == 2:
        return float(targets.shape[1])
    return float((targets != IGNORED).sum())
