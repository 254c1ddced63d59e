"""Mirrored images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.augmentations.base import Augmentation
from harness.lazy import torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Flip(Augmentation):
    """Mirror half of the images, left to right: `flip: true`."""

    name: Literal["flip"] = "flip"
    horizontal: bool = Field(False, description="mirror half of the images, left to right")

    stream: ClassVar[str] = "augmentation"

    def draw(self, generator: np.random.Generator, examples: int) -> NDArray[Any]:
        """Draw which images are mirrored, (examples,)."""
        return (generator.random(examples) < 0.5) & self.horizontal

    def apply(self, inputs: Tensor, drawn: Tensor, fill: Tensor) -> Tensor:
        """See `Augmentation`."""
        del fill  # nothing comes in
        return torch.where(drawn[..., None, None, None], inputs.flip(-1), inputs)
