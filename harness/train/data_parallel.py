"""Data-parallel training: several processes (ranks), each on a part of every batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn

from harness.data_spec import IGNORED

WAIT = timedelta(minutes=30)


class Ranks(Protocol):
    """The processes that train a network together; each holds all its data."""

    rank: int
    """Of this process, from 0."""
    world_size: int
    """Of all processes."""
    sharded: bool
    """Whether each holds a share of the network's weights only."""

    def all_reduce_sum(self, values: Tensor) -> None:
        """Replace values by their sums over all processes: the same bits in each."""

    def all_reduce_max(self, values: Tensor) -> None:
        """Replace values by the largest of all processes."""

    def all_agree(self, number: int) -> bool:
        """Tell whether all processes have the same number."""

    def gathered(self, value: Any) -> list[Any]:
        """Return what each process gives, by rank; it can be pickled."""


class RankLostError(BaseException):
    """Another rank is gone. Not an `Exception`, since those are failures of the trial."""


class UnmetError(Exception):
    """A process waited for the others until its time was up."""


class TorchRanks:
    """The processes of PyTorch's default group, which must have been set up.

    Raises:
        RankLostError: by all that needs the other processes, if one of them is gone.
    """

    _talk: Any = None
    """A group beside the default one, for what is no tensor; over CPUs, and made when needed."""

    sharded = False

    def __init__(self, device: torch.device, *, sharded: bool = False):
        self.sharded = sharded
        self.rank, self.world_size = distributed.get_rank(), distributed.get_world_size()
        self._device = device

    def all_reduce_sum(self, values: Tensor) -> None:
        """See `Ranks`."""
        self._reduce(values, distributed.ReduceOp.SUM)

    def all_reduce_max(self, values: Tensor) -> None:
        """See `Ranks`."""
        self._reduce(values, distributed.ReduceOp.MAX)

    def all_agree(self, number: int) -> bool:
        """See `Ranks`."""
        bounds = torch.tensor([number, -number], device=self._device)
        self.all_reduce_max(bounds)
        return bool(bounds[0] == -bounds[1])

    def gathered(self, value: Any) -> list[Any]:
        """See `Ranks`.

        Raises:
            UnmetError: if not all processes come within half an hour.
        """
        found = [None] * self.world_size
        try:
            self._talk = self._talk or distributed.new_group(backend="gloo", timeout=WAIT)
            distributed.all_gather_object(found, value, group=self._talk)
        except RuntimeError as error:
            message = str(error).partition("\n")[0]
            raise (UnmetError if "imed out" in message else RankLostError)(message) from error
        return found

    def _reduce(self, values: Tensor, operation: Any) -> None:
        try:
            distributed.all_reduce(values, op=operation)
        except RuntimeError as error:
            raise RankLostError(str(error).partition("\n")[0]) from error


def is_of_a_lost_rank(error: BaseException) -> bool:
    """Tell whether an error says that another process of a group is gone.

    Of gloo that is a plain RuntimeError, which names the file that raised it.
    """
    lost = isinstance(error, RankLostError | distributed.DistError)
    return lost or (isinstance(error, RuntimeError) and "gloo/transport" in str(error))


def own_shard(ranks: Ranks, targets: Tensor) -> tuple[slice, float]:
    """Return the examples of a batch that this rank computes, and the weight of its mean.

    A last batch may have fewer examples than there are ranks: then some ranks have weight 0.

    Args:
        ranks: that train together, with the same batch.
        targets: of one member, (1, batch, ...).
    """
    part = slice(ranks.rank, None, ranks.world_size)
    own = targets[:, part]
    if own.shape[1] == 0:
        return slice(0, 1), 0.0
    return part, counted(own)


def mean_over_ranks(ranks: Ranks, values: Sequence[Tensor], weight: float) -> list[Tensor]:
    """Return the weighted mean of tensors of one type over all ranks.

    Weighted by the targets that each rank has seen, this is the mean over the whole batch.
    """
    flat = torch.cat([value.flatten() for value in values])
    total = torch.tensor([weight], dtype=torch.float64, device=flat.device)
    flat = flat.mul_(weight) if weight else flat.zero_()  # a mean of nothing is no number
    ranks.all_reduce_sum(total)
    ranks.all_reduce_sum(flat)
    flat.div_(total[0].to(flat.dtype))
    parts = flat.split([value.numel() for value in values])
    return [new.view_as(old) for new, old in zip(parts, values, strict=True)]


def data_parallel_refusal(network: nn.Module) -> str | None:
    """Say why a network cannot be trained on parts of its batches, or None if it can."""
    if any(name.rpartition(".")[2] == "running_mean" for name, _ in network.named_buffers()):
        return (
            "batch normalization would see only a part of each batch (of several workers, or where"
            " gradients are accumulated); use norm: layer or group, or resources.workers: 1 and"
            " accumulate: 1"
        )
    return None


def counted(targets: Tensor) -> float:
    """Return how many targets a mean loss is a mean of."""
    if targets.is_floating_point() or targets.ndim == 2:
        return float(targets.shape[1])
    return float((targets != IGNORED).sum())
