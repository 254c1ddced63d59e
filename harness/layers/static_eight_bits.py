"""Networks whose linear layers and convolutions compute in whole numbers of scales fixed before."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor, nn

BACKEND = "x86"


def statically_quantized(network: nn.Module, examples: Tensor) -> nn.Module:
    """Return a copy that computes with weights and activations of 8 bits.

    PyTorch's static quantization in graph mode: the scale of each activation is that of its range
    over the examples, and stays. Convolutions are quantized too, which dynamic quantization leaves
    as they are.

    Args:
        network: on the CPU.
        examples: that the scales are chosen by, (n, ...); training examples, never the test split.
    """
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    with warnings.catch_warnings(), torch.no_grad():  # that it moves to another package one day
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\.")
        observed = prepare_fx(
            copy.deepcopy(network).eval(), get_default_qconfig_mapping(BACKEND), (examples[:1],)
        )
        observed(examples)
        found: nn.Module = convert_fx(observed)
    return found
