"""Networks of one shape, held as one set of tensors with an axis for the members in front."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Names = tuple[list[str], list[str]]


@dataclass
class Stack:
    """Parameters that are trained and everything else that a network holds, each (members, ...).

    `parameters` and `buffers` follow the order of `state_names` of any of the networks. Buffers
    are running statistics, and parameters that are frozen.
    """

    parameters: list[Tensor]
    buffers: list[Tensor]

    @classmethod
    def of(cls, networks: Sequence[nn.Module]) -> Stack:
        """Stack networks of one shape."""
        states = [state_of(network) for network in networks]
        trained, held = state_names(networks[0])
        return cls(
            [torch.stack([state[name].detach() for state in states]) for name in trained],
            [torch.stack([state[name].detach() for state in states]) for name in held],
        )

    def __len__(self) -> int:
        return len(self.parameters[0])

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors: parameters, then buffers."""
        return [*self.parameters, *self.buffers]

    def rows(self, rows: Sequence[int]) -> Stack:
        """Return a copy of some members."""
        index = torch.tensor(rows, device=self.parameters[0].device)
        return Stack(
            [tensor.index_select(0, index) for tensor in self.parameters],
            [tensor.index_select(0, index) for tensor in self.buffers],
        )

    def copy_rows(self, source: Stack, rows: Sequence[int]) -> None:
        """Overwrite some members with those of an equal stack."""
        everything = len(rows) == len(self)
        index = torch.tensor(rows, device=self.parameters[0].device)
        for mine, theirs in zip(self.tensors, source.tensors, strict=True):
            if everything:
                mine.copy_(theirs)
            else:
                mine[index] = theirs[index]

    def arranged(self, before: Names, after: Names) -> Stack:
        """Return the same tensors, with others of them as the parameters.

        Args:
            before: names of parameters and of buffers, as `state_names` gives them.
            after: the same names, divided anew.
        """
        by_name = dict(zip([*before[0], *before[1]], self.tensors, strict=True))
        return Stack([by_name[name] for name in after[0]], [by_name[name] for name in after[1]])

    def network(self, template: nn.Module, row: int) -> nn.Module:
        """Return one member as a network of its own."""
        network = copy.deepcopy(template)
        state = state_of(network)
        trained, held = state_names(template)
        with torch.no_grad():
            for name, tensor in zip([*trained, *held], self.tensors, strict=True):
                state[name].copy_(tensor[row])
        return network


def state_names(network: nn.Module) -> Names:
    """Return the names of the parameters that are trained, and of all that is held beside them."""
    trained = [name for name, value in network.named_parameters() if value.requires_grad]
    frozen = [name for name, value in network.named_parameters() if not value.requires_grad]
    return trained, frozen + [name for name, _ in network.named_buffers()]


def state_of(network: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers of a network by name."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}
