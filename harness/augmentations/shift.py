"""Shifted images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.augmentations.base import Augmentation
from harness.lazy import torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Shift(Augmentation):
    """Shift images by whole pixels, up or down and left or right: `shift: 2`."""

    name: Literal["shift"] = "shift"
    pixels: int = Field(0, ge=0, le=100, description="pixels at most, each way; zeros come in")

    stream: ClassVar[str] = "augmentation"

    def draw(self, generator: np.random.Generator, examples: int) -> NDArray[Any]:
        """Draw how far each image moves down and to the right, (examples, 2)."""
        return generator.integers(-self.pixels, self.pixels + 1, (examples, 2))

    def apply(self, inputs: Tensor, drawn: Tensor, fill: Tensor) -> Tensor:
        """See `Augmentation`."""
        *_, height, width = inputs.shape
        down, right = drawn[..., None].unbind(2)
        rows = torch.arange(height, device=inputs.device) - down
        columns = torch.arange(width, device=inputs.device) - right
        inside = ((rows >= 0) & (rows < height))[..., :, None]
        inside = inside & ((columns >= 0) & (columns < width))[..., None, :]
        places = rows.clamp(0, height - 1)[..., :, None] * width
        places = places + columns.clamp(0, width - 1)[..., None, :]
        flat = inputs.flatten(3)
        moved = flat.gather(3, places.flatten(2).unsqueeze(2).expand_as(flat)).view_as(inputs)
        return torch.where(inside.unsqueeze(2), moved, fill)
