"""Networks whose linear layers have weights of 8 bits, and how many bytes weights take."""

from __future__ import annotations

import io
import warnings

import torch
from torch import Tensor, nn


def quantized(network: nn.Module) -> nn.Module:
    """Return a copy whose linear layers multiply whole numbers of 8 bits.

    PyTorch's dynamic quantization: a scale for each matrix of weights, and one for the activations
    of each batch. Other layers stay as they are.

    Raises:
        ValueError: if there is no linear layer.
        RuntimeError: if the network is not on a CPU.
    """
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError("8 bits: the network has no linear layer, and only those are quantized")
    if linear[0].weight.device.type != "cpu":
        raise RuntimeError("8 bits: PyTorch's dynamic quantization runs on a CPU")
    with warnings.catch_warnings():  # that it moves to another package one day
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\.")
        found: nn.Module = torch.ao.quantization.quantize_dynamic(
            network.eval(), {nn.Linear}, dtype=torch.qint8
        )
    return found


def bytes_of(network: nn.Module) -> int:
    """Return how many bytes a file of a network's parameters and buffers has."""
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    return len(file.getvalue())


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest absolute difference of two networks' outputs, (n, outputs) each."""
    return float((ours.double() - theirs.double()).abs().max())
