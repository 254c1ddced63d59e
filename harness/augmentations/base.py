"""What an augmentation is: its settings, what it draws for each example, and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.keyed import Keyed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Augmentation(Keyed):
    """A random change of training examples, drawn anew for each example in every epoch.

    A subclass has a `name` of one value, which is also its module's name and the default. Several
    augmentations are applied in the order of their names.
    """

    images: ClassVar[bool] = True
    """Whether it changes images only: inputs of shape (channels, height, width)."""
    stream: ClassVar[str] = ""
    """The stream of random numbers that it draws from; empty: one of its own, so that what others
    draw changes nothing for it. Those that share one draw in the reverse order of their names, also
    where they are turned off."""

    def draw(self, generator: np.random.Generator, examples: int) -> NDArray[Any]:
        """Return what is drawn for the examples of an epoch, with an axis of examples in front."""
        raise NotImplementedError

    def apply(self, inputs: Tensor, drawn: Tensor, fill: Tensor) -> Tensor:
        """Return changed inputs.

        Args:
            inputs: a batch of each member, (members, batch, *shape of an example), normalized.
            drawn: for them, shape (members, batch, ...).
            fill: what zero is after normalization, of a shape that fits beside the inputs.
        """
        raise NotImplementedError


class Mixing(Augmentation):
    """A random mixture of the examples of a batch and of their classes.

    It comes after the augmentations that do not mix.
    """

    def draw(self, generator: np.random.Generator, examples: int) -> NDArray[Any]:
        """See `Augmentation`."""
        raise NotImplementedError

    def apply(self, inputs: Tensor, drawn: Tensor, fill: Tensor) -> Tensor:
        """Change nothing: `mix` has the classes as well."""
        del drawn, fill
        return inputs

    def mix(self, inputs: Tensor, targets: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixed inputs and soft targets.

        Args:
            inputs: as in `apply`.
            targets: how much each class counts, (members, batch, classes).
            drawn: as in `apply`.
        """
        raise NotImplementedError


def partners(keys: Tensor) -> Tensor:
    """Return for each example of a batch another of it, (members, batch), by keys drawn for them.

    Each example is the partner of exactly one, which may be itself.
    """
    return keys.argsort(dim=1, stable=True)


def taken(values: Tensor, places: Tensor) -> Tensor:
    """Return the examples of a batch (members, batch, ...) at places (members, batch)."""
    index = places.view(*places.shape, *[1] * (values.ndim - 2)).expand_as(values)
    return values.gather(1, index)
