"""How much a training step keeps in memory."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.lazy import torch
from harness.metrics import Metric
from harness.probes.base import POSITIVE, Fitted, Measured, Probe

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.tasks import Objective


class SavedMemory(Probe):
    """Bytes that a training step keeps for its backward pass, for one batch.

    Gives `probe.saved_bytes`. Weights, which are there anyway, do not count.
    """

    name: Literal["saved_memory"]

    # it follows from the shapes of a batch and of the network, which a seed does not change
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("saved_bytes", "minimize", bounds=POSITIVE, deterministic=True),
    )

    def measure(self, fitted: Fitted) -> Measured:
        """Give the bytes that a step keeps for its backward pass, for one batch."""
        train, size = fitted.splits.train, fitted.settings.batch_size
        assert fitted.objective is not None
        kept = saved_bytes(
            fitted.network, train.inputs[:size], train.targets[:size], fitted.objective
        )
        return Measured({"saved_bytes": float(kept)})


def saved_bytes(network: nn.Module, inputs: Tensor, targets: Tensor, objective: Objective) -> int:
    """Return the bytes of all tensors that autograd keeps between the two passes of a step.

    Tensors that share their memory count once; parameters and buffers, which stay in memory
    anyway, do not count.

    Args:
        network: is left as it was.
        inputs: one batch, (batch, ...).
        targets: of the same batch.
        objective: whose loss is differentiated.
    """
    from harness.layers.groups import set_mode

    twin = copy.deepcopy(network)
    inputs, targets = inputs.clone(), targets.clone()  # they may be part of something larger
    set_mode(twin, True)
    own = {_storage(tensor) for tensor in (*twin.parameters(), *twin.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            kept[_storage(tensor)] = tensor.untyped_storage().nbytes()
        return tensor.detach()  # holds the memory, so that no other tensor gets its address

    devices = [inputs.device] if inputs.is_cuda else []
    with (
        torch.random.fork_rng(devices=devices),
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        loss = objective.loss.alone(twin(inputs), targets)
    del loss  # only now: until here the graph has held what was counted
    return sum(kept.values())


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
