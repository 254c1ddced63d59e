"""Restricted Boltzmann machines one above the other, with the weights of a fully connected network.

Hinton 2002, Training products of experts by minimizing contrastive divergence; Hinton and
Salakhutdinov 2006 for units of normal noise.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from harness.layers.groups import hidden_units


class Machine:
    """One machine: its weights (hidden, visible), and the biases of both layers.

    Hidden units are 0 or 1, with probability sigmoid(W v + b). Visible ones are 0 or 1 with
    probability sigmoid(Wᵀ h + a), or normal with mean Wᵀ h + a and deviation 1.
    """

    def __init__(self, weight: Tensor, hidden: Tensor, visible: Tensor, *, normal: bool):
        self.weight, self.hidden, self.visible, self.normal = weight, hidden, visible, normal

    def up(self, visible: Tensor) -> Tensor:
        """Return the probabilities of the hidden units, (n, hidden), for (n, visible)."""
        return torch.sigmoid(functional.linear(visible, self.weight, self.hidden))

    def down(self, hidden: Tensor) -> Tensor:
        """Return the means of the visible units, (n, visible), for (n, hidden)."""
        means = functional.linear(hidden, self.weight.T, self.visible)
        return means if self.normal else torch.sigmoid(means)

    def free_energy(self, visible: Tensor) -> Tensor:
        """Return minus the logarithm of the sum over hidden states of exp(-energy), (n,)."""
        hidden = functional.softplus(functional.linear(visible, self.weight, self.hidden))
        if self.normal:
            own = 0.5 * (visible - self.visible).square().sum(dim=1)
        else:
            own = -(visible @ self.visible)
        return own - hidden.sum(dim=1)

    def sampled(self, visible: Tensor, steps: int, draws: Generator) -> Tensor:
        """Return visible states, (n, visible), after so many steps of Gibbs sampling.

        Args:
            visible: where the chains begin.
            steps: each draws all hidden units, then all visible ones.
            draws: on the CPU.
        """
        for _ in range(steps):
            chance = self.up(visible)
            hidden = (_like(torch.rand, chance, draws) < chance).to(chance.dtype)
            means = self.down(hidden)
            if self.normal:
                visible = means + _like(torch.randn, means, draws)
            else:
                visible = (_like(torch.rand, means, draws) < means).to(means.dtype)
        return visible


def _like(draw: object, tensor: Tensor, draws: Generator) -> Tensor:
    found: Tensor = draw(tensor.shape, generator=draws)  # type: ignore[operator]
    return found.to(tensor.device, tensor.dtype)


class BoltzmannStack(nn.Module):
    """A machine for each hidden layer of a fully connected network; one reads what those below say.

    Args:
        network: an `mlp` whose hidden layers are linear maps and sigmoids.
        normal: whether the inputs are normal numbers, or else shares from 0 to 1.
    """

    def __init__(self, network: nn.Module, *, normal: bool):
        super().__init__()
        self.network, self.normal = network, normal
        sizes = [layer.linear.weight.shape[1] for layer in hidden_units(network)]
        self.visible = nn.ParameterList(torch.zeros(size) for size in sizes)

    def machine(self, place: int) -> Machine:
        """Return the machine of a hidden layer, counted from 0; its tensors are the network's."""
        linear = hidden_units(self.network)[place].linear
        assert linear.bias is not None
        normal = self.normal and place == 0
        return Machine(linear.weight, linear.bias, self.visible[place], normal=normal)

    def up_to(self, inputs: Tensor, place: int) -> Tensor:
        """Return what the machine at a place reads of inputs (n, ...), (n, visible)."""
        seen = inputs.flatten(1)
        for below in range(place):
            seen = self.machine(below).up(seen)
        return seen

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the probabilities of the uppermost hidden units, (n, hidden)."""
        return self.up_to(inputs, len(self.visible))

    def decode(self, codes: Tensor) -> Tensor:
        """Return the means of the inputs, (n, numbers), for uppermost hidden units (n, hidden)."""
        for place in reversed(range(len(self.visible))):
            codes = self.machine(place).down(codes)
        return codes

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs (n, ...) as they come back from the uppermost hidden units."""
        return self.decode(self.encode(inputs))
