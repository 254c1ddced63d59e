"""Fully sharded training (FSDP): several processes (ranks), each with a share of the weights.

Before a block of layers computes, its weights are gathered from all ranks, and let go afterwards;
of gradients and of what the optimizer keeps each rank has its share alone (Zhao et al. 2023).
PyTorch's `fully_shard` does it. Steps act on the shares, so an optimizer must treat every number by
itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers import set_mode
from harness.tasks import Objective, Supervised, Task
from harness.train.data_parallel import Ranks
from harness.train.initial import initial_network
from harness.train.packed_program import check_goals, uses_bfloat16
from harness.train.single_program import SingleProgram, build_template
from harness.train.stack import Stack, state_names, state_of
from harness.train.stage_products import StagesByRole
from harness.trial import Trial
from harness.workloads.settings import TrialSettings, read_settings

LISTS = (nn.ModuleList, nn.Sequential)
"""Modules whose children are blocks, each gathered by itself."""

PARTS_OF_A_TASK = ("build", "step", "served")
"""What must be as in every supervised task: others look at weights that no rank has as a whole."""


def shard(network: nn.Module, ranks: Ranks, device: torch.device) -> nn.Module:
    """Leave each rank its share of a network that all of them have built alike, on the device."""
    from torch.distributed.device_mesh import init_device_mesh  # what these import is slow to load
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (ranks.world_size,))
    for block in list(_blocks(network))[::-1]:  # inner ones first
        fully_shard(block, mesh=mesh)
    # else all weights would stay together after an evaluation, and not follow the next step
    fully_shard(network, mesh=mesh, reshard_after_forward=True)
    return network


def _blocks(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the blocks of a network, outer ones first; none shares a weight with another part."""
    users = Counter(_owned(network))
    for module in network.modules():
        for block in module.children() if isinstance(module, LISTS) else ():
            own = Counter(_owned(block))
            alone = all(count == users[one] for one, count in own.items())
            if own and alone and not isinstance(block, nn.ModuleList | nn.ModuleDict):
                yield block


def _owned(network: nn.Module) -> Iterator[int]:
    """Yield which weights the modules of a network have, one by one."""
    for module in network.modules():
        yield from map(id, module.parameters(recurse=False))


def sharding_refusal(task: Task, settings: TrialSettings) -> str | None:
    """Say why a network cannot be trained in shares, or None if it can, as far as settings tell."""
    if any(getattr(type(task), part) is not getattr(Supervised, part) for part in PARTS_OF_A_TASK):
        return f"the task {task.name} takes steps of its own"
    if not settings.optimizer.packable:
        return f"{settings.optimizer.name} does not treat every number of a weight by itself"
    if settings.transfer is not None and settings.transfer.unfreeze_every is not None:
        return "layers would be unfrozen while it trains"
    return None


class ShardedProgram(SingleProgram):
    """The network of one trial, of which each rank holds a share.

    Args:
        network: with its initial weights, those that are frozen marked as such.
    """

    def __init__(
        self,
        task: Task,
        network: nn.Module,
        objective: Objective,
        ranks: Ranks,
        device: torch.device,
        *,
        bfloat16: bool = False,
    ):
        shard(network, ranks, device)
        super().__init__(task, network, objective, "its weights are sharded", bfloat16=bfloat16)
        self._ranks, self._device = ranks, device
        self._factor = 1.0

    def stack(self) -> Stack:
        """Return this rank's share of the weights: changing them changes the network."""
        own, (trained, held) = _local(self.template), state_names(self.template)
        return Stack([own[name][None] for name in trained], [own[name][None] for name in held])

    def bind(self, stack: Stack, *, training: bool) -> None:
        """Give the network the weights of a stack, and set its mode."""
        set_mode(self.template, training)
        if self._bound is stack:
            return
        own, (trained, held) = _local(self.template), state_names(self.template)
        with torch.no_grad():
            for name, tensor in zip([*trained, *held], stack.tensors, strict=True):
                own[name].copy_(tensor[0])
        self._bound = stack

    def weighing(self, weight: float) -> Callable[[float], None]:
        """Let the next losses count in a sum over ranks, by the targets that each has seen.

        Args:
            weight: of this rank's part of the batch.

        Returns:
            What is told the share of it that the next loss is of, where there are several.
        """
        total = torch.tensor([weight], dtype=torch.float64, device=self._device)
        self._ranks.all_reduce_sum(total)
        whole = float(total) or 1.0

        def weigh(share: float) -> None:
            self._factor = weight * share / whole * self._ranks.world_size  # it takes the mean

        weigh(1.0)
        return weigh

    def gradients(self, part: str, loss: Tensor) -> list[Tensor]:
        """Return this rank's share of the gradient of the loss of all ranks, each (1, ...)."""
        self._need(part)
        for parameter in self._parameters:
            parameter.grad = None
        (loss * self._factor).backward()
        return [_gradient(parameter)[None] for parameter in self._parameters]

    def network(self, stack: Stack, trial: Trial, form: Form) -> nn.Module:
        """Return the whole network of a stack, on the CPU. Every rank has to ask for it."""
        whole = build_template(self.task, trial, form)
        own, state = state_of(self.template), state_of(whole)
        trained, held = state_names(self.template)
        with torch.no_grad():
            for name, tensor in zip([*trained, *held], stack.tensors, strict=True):
                state[name].copy_(_gathered(own[name], tensor[0]))
        return whole


def sharded_program(
    trial: Trial, form: Form, device: torch.device, ranks: Ranks, given: StagesByRole
) -> ShardedProgram:
    """Return the program of a trial whose network every rank builds alike, and keeps a share of.

    Raises:
        ValueError: if it cannot be trained so.
    """
    settings = read_settings(trial.workload)
    task = settings.learns(form.kind)
    if (refusal := sharding_refusal(task, settings)) is not None:
        raise ValueError(f"its weights cannot be sharded: {refusal}")
    assert isinstance(task, Supervised)
    check_goals(settings, trial)
    network = initial_network(task, trial, form, given, ranks)
    size = sum(parameter.numel() for parameter in network.parameters())
    bfloat16 = uses_bfloat16(device, size, settings.precision)
    objective = task.objective(form, settings.loss)
    return ShardedProgram(task, network, objective, ranks, device, bfloat16=bfloat16)


def _local(network: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers of a network by name, of the former this rank's shares."""
    return {name: _own(value.detach()) for name, value in state_of(network).items()}


def _own(value: Tensor) -> Tensor:
    from torch.distributed.tensor import DTensor

    return value.to_local() if isinstance(value, DTensor) else value


def _gradient(parameter: nn.Parameter) -> Tensor:
    """Return this rank's share of a gradient; zero where the loss does not depend on it."""
    found = parameter.grad
    return torch.zeros_like(_own(parameter.detach())) if found is None else _own(found)


def _gathered(like: Tensor, own: Tensor) -> Tensor:
    """Return the whole tensor of which each rank has a share, on the CPU."""
    from torch.distributed.tensor import DTensor

    if not isinstance(like, DTensor):
        return own.cpu()
    mesh, shape, stride = like.device_mesh, like.shape, like.stride()
    shared = DTensor.from_local(own, mesh, like.placements, shape=shape, stride=stride)
    whole: Tensor = shared.full_tensor().cpu()
    return whole
