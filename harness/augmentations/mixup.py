"""Mixup: weighted means of two examples and of their classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.augmentations.base import Mixing, partners, taken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Mixup(Mixing):
    """Train on weighted means of two examples and of their classes: `mixup: 0.2`.

    Zhang, Cissé, Dauphin and Lopez-Paz 2018, ICLR. The weight of each example is drawn for itself,
    from Beta(alpha, alpha); its partner is another example of the batch.
    """

    name: Literal["mixup"] = "mixup"
    alpha: float = Field(
        gt=0, le=100, description="of Beta(alpha, alpha): small leaves most examples nearly alone"
    )

    images: ClassVar[bool] = False

    def draw(self, generator: np.random.Generator, examples: int) -> NDArray[Any]:
        """Draw the weight of each example, and a key that chooses its partner, (examples, 2)."""
        drawn = generator.random((examples, 2))
        drawn[:, 0] = generator.beta(self.alpha, self.alpha, examples)
        return drawn

    def mix(self, inputs: Tensor, targets: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """See `Mixing`."""
        others = partners(drawn[..., 1])
        weight = drawn[..., 0].to(inputs.dtype)
        return _mean(inputs, others, weight), _mean(targets, others, weight)


def _mean(values: Tensor, others: Tensor, weight: Tensor) -> Tensor:
    own = weight.view(*weight.shape, *[1] * (values.ndim - 2))
    return own * values + (1 - own) * taken(values, others)
