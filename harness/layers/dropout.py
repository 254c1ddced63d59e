"""Random draws that follow from a network's own state: dropout, and networks made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from harness.seeding import stream

_STEP = -1640531527  # 2**32 over the golden ratio, as a signed number: visits every state once
_SPREAD = -1640531535  # odd: takes neighbouring positions far apart
_FACTORS = (2146121005, -2073254261)  # of Wellons' 32-bit hash "lowbias32", as signed numbers


def move_on(module: nn.Module, name: str, value: Tensor) -> None:
    """Give a buffer its next value.

    A network alone is written to in place, since its tensors are those of a stack. In a pack the
    value takes the buffer's place: a captured graph without writes in place can be simplified.
    """
    buffer = module.get_buffer(name)
    if torch._C._functorch.is_batchedtensor(buffer):
        setattr(module, name, value)
    else:
        buffer.copy_(value)


class Dropout(nn.Module):
    """Sets a share of its inputs to zero in training, and scales the rest up (Srivastava 2014).

    Which ones is computed from a counter in a buffer, by a hash of the counter and the position.
    So a network's masks depend on its own seed and step alone, on no generator that others draw
    from: they are the same in a pack and alone. The rate is a buffer too, so that members of a pack
    may differ in it.
    """

    state: Tensor
    threshold: Tensor
    scale: Tensor

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate
        self.register_buffer("state", torch.zeros((), dtype=torch.int32))
        lowest = -(2**31) + round(rate * 2**32)
        self.register_buffer("threshold", torch.tensor(lowest, dtype=torch.int32))
        self.register_buffer("scale", torch.tensor(1 / (1 - rate)))

    def seed(self, seed: int) -> None:
        """Start the sequence of masks that belongs to a seed."""
        self.state.fill_(seed % 2**32 - 2**31)

    def forward(self, inputs: Tensor) -> Tensor:
        """Drop units of a tensor of any shape, each on its own."""
        if not self.training:
            return inputs
        move_on(self, "state", self.state + _STEP)
        position = torch.arange(inputs.numel(), dtype=torch.int32, device=inputs.device)
        kept = _hash((position * _SPREAD) ^ self.state) >= self.threshold
        factor = kept.view(inputs.shape) * self.scale.to(inputs.dtype)
        return inputs * factor

    def extra_repr(self) -> str:
        """Show the rate."""
        return f"rate={self.rate}"


def _hash(bits: Tensor) -> Tensor:
    """Mix the bits of 32-bit integers, the higher ones best.

    The hash's last round would mend the lower ones, which a threshold does not look at. Masks
    after the shifts keep out copies of the sign.
    """
    bits = (bits ^ ((bits >> 16) & 0xFFFF)) * _FACTORS[0]
    return (bits ^ ((bits >> 15) & 0x1FFFF)) * _FACTORS[1]


class OwnDraws(nn.Module):
    """A network around one that draws from PyTorch's global generators, as dropout there does.

    Within `drawing` those generators start from the network's own seed and step, and are afterwards
    as they were. So what is dropped depends on the trial alone.
    """

    state: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("state", torch.zeros((), dtype=torch.int64))

    def seed(self, seed: int) -> None:
        """Start the sequence of draws that belongs to a seed."""
        self.state.fill_(seed % 2**62)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw from the own sequence in training; there is nothing to draw else."""
        if not self.training:
            yield
            return
        on_gpu = self.state.is_cuda
        with torch.random.fork_rng(devices=[self.state.device] if on_gpu else []):
            start = int(self.state)
            torch.default_generator.manual_seed(start)
            if on_gpu:
                torch.cuda.manual_seed(start)
            self.state.add_(1)
            yield


def seed_dropout(network: nn.Module, seed: int) -> None:
    """Give every part of a network that draws in training its own sequence."""
    layers = [module for module in network.modules() if isinstance(module, Dropout | OwnDraws)]
    for index, layer in enumerate(layers):
        layer.seed(stream(seed, f"dropout {index}"))
