"""Products of matrices, by the quicker of the two libraries that PyTorch brings along.

PyTorch multiplies matrices by MKL, which on processors of AMD uses vectors of half the width that
they have (AVX2 where AVX-512 is there). oneDNN, by which PyTorch convolves, uses all of it: large
products take half the time, small ones longer, for a call costs more. Which library multiplies is a
function of the processor and of sizes, so that a trial replays.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from harness.train.environment import processor

LARGE = 3_000_000  # multiplications of a member, from which on every shape measured was quicker


def is_large(left: Tensor, right: Tensor) -> bool:
    """Tell whether oneDNN multiplies these sooner: shapes (members, m, k) and (members, k, n)."""
    if not (left.device.type == right.device.type == "cpu" and prefers_onednn()):
        return False
    if not left.dtype == right.dtype == torch.float32:
        return False
    return left.shape[1] * left.shape[2] * right.shape[2] >= LARGE


def multiply(left: Tensor, right: Tensor) -> Tensor:
    """Return what `torch.bmm` would, member by member: each as it would be alone."""
    linear = torch.ops.mkldnn._linear_pointwise
    products = [
        linear(one, other.mT, None, "none", [], "")
        for one, other in zip(left.unbind(), right.unbind(), strict=True)
    ]
    return products[0][None] if len(products) == 1 else torch.stack(products)


@cache
def prefers_onednn() -> bool:
    """Tell whether this is a processor on which MKL leaves half of each vector unused."""
    return (
        torch.backends.mkl.is_available()
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and "AMD" in processor()
    )
