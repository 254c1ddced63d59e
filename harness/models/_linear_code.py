"""Codes that are linear in the inputs, as a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.lazy import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from harness.layers.autoencoder import Autoencoder


def check_code(name: str, code: int, most: int, rows: NDArray[Any]) -> None:
    """Refuse more numbers of a code than the training split can give.

    Raises:
        ValueError: if there are more than `most`.
    """
    if code > most:
        raise ValueError(
            f"{name} has at most {most} components here: {rows.shape[0]} training examples of "
            f"{rows.shape[1]} numbers; `task.code` is {code}"
        )


def restoring(encoder: nn.Module, atoms: NDArray[Any], mean: NDArray[Any]) -> Autoencoder:
    """Return a network that restores inputs as a mean and a sum of atoms, weighted by the code.

    Args:
        encoder: from flat inputs (batch, numbers) to codes (batch, code).
        atoms: (code, numbers).
        mean: (numbers,).
    """
    from harness.layers.autoencoder import Autoencoder

    network = torch.nn.Sequential(torch.nn.Flatten(), encoder)
    return Autoencoder(network, linear(atoms.T, mean), len(atoms))


def linear(weight: NDArray[Any], bias: NDArray[Any]) -> nn.Linear:
    """Return a linear layer of a weight (outputs, inputs) and a bias (outputs,)."""
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer
