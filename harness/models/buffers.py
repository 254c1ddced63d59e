"""Buffers that move on with every training step."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def move_on(module: nn.Module, name: str, value: Tensor) -> None:
    """Give a buffer its next value.

    A network alone is written to in place, since its tensors are those of a stack. In a pack the
    value takes the buffer's place: a recording without writes in place can be simplified.
    """
    buffer = module.get_buffer(name)
    if torch._C._functorch.is_batchedtensor(buffer):
        setattr(module, name, value)
    else:
        buffer.copy_(value)
