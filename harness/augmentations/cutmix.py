"""CutMix: a box of an image comes from another one, and as much of its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.augmentations.base import Mixing, partners, taken
from harness.lazy import torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Cutmix(Mixing):
    """Replace a box of each image by that of another, and as much of its class: `cutmix: 1.0`.

    Yun et al. 2019, ICCV. The share that stays is drawn from Beta(alpha, alpha), the box's centre
    anywhere in the image; classes are mixed by the area that is left inside the image.
    """

    name: Literal["cutmix"] = "cutmix"
    alpha: float = Field(gt=0, le=100, description="of Beta(alpha, alpha); 1: any share alike")

    def draw(self, generator: np.random.Generator, examples: int) -> NDArray[Any]:
        """Draw the share that stays, a key that chooses the partner, and the box's centre.

        Returns:
            Shape (examples, 4); the centre, down and to the right, in shares of the image.
        """
        drawn = generator.random((examples, 4))
        drawn[:, 0] = generator.beta(self.alpha, self.alpha, examples)
        return drawn

    def mix(self, inputs: Tensor, targets: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """See `Mixing`."""
        *_, height, width = inputs.shape
        others, side = partners(drawn[..., 1]), (1 - drawn[..., 0]).sqrt()
        rows = _inside(height, drawn[..., 2], side)
        columns = _inside(width, drawn[..., 3], side)
        box = rows[..., :, None] & columns[..., None, :]
        came = box.flatten(2).sum(2).to(targets.dtype)[..., None] / (height * width)
        mixed = torch.where(box.unsqueeze(2), taken(inputs, others), inputs)
        return mixed, (1 - came) * targets + came * taken(targets, others)


def _inside(length: int, centre: Tensor, side: Tensor) -> Tensor:
    """Return which pixels of one direction the box covers, (members, batch, length)."""
    half = ((length * side).floor() / 2).floor()[..., None]
    middle = (length * centre).floor()[..., None]
    places = torch.arange(length, device=centre.device)
    return (places >= middle - half) & (places < middle + half)
