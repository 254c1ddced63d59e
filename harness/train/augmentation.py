"""The augmentations of a pack: drawn for each epoch, applied batch by batch on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.augmentations.base import Augmentation, Mixing
from harness.seeding import stream
from harness.trial import Trial


class Augmented:
    """Changes of the examples of several members, each drawn from streams of its own seed."""

    def __init__(
        self, every: Sequence[Augmentation], seeds: Sequence[int], shape: tuple[int, ...]
    ) -> None:
        """Prepare.

        Args:
            every: augmentation of the trials, in the order in which they are applied.
            seeds: of the members.
            shape: of one input.

        Raises:
            ValueError: if the inputs are no images, and something changes images.
        """
        if len(shape) != 3 and any(one.images for one in every):
            raise ValueError(
                f"augmentation changes images (channels, height, width); these inputs are {shape}"
            )
        changing = [one for one in every if one.changes]
        self._applied = [one for one in changing if not isinstance(one, Mixing)]
        self._mixing = [one for one in changing if isinstance(one, Mixing)]
        self._drawing = [
            (one, one.stream or f"augmentation {one.name}")
            for one in reversed(every)
            if one.changes or one.stream
        ]
        self._generators = {
            purpose: [np.random.default_rng(stream(seed, purpose)) for seed in seeds]
            for _, purpose in self._drawing
        }
        self._drawn: dict[str, Tensor] = {}

    @property
    def mixes(self) -> bool:
        """Whether examples are mixed, so that targets become soft."""
        return bool(self._mixing)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some members only."""
        self._generators = {
            purpose: [own[row] for row in rows] for purpose, own in self._generators.items()
        }

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """Return where the draws of each member stand, by stream."""
        return {
            purpose: [dict(generator.bit_generator.state) for generator in own]
            for purpose, own in self._generators.items()
        }

    def load(self, state: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Go on with draws from where they stood."""
        for purpose, own in self._generators.items():
            for generator, saved in zip(own, state[purpose], strict=True):
                generator.bit_generator.state = dict(saved)

    def draw(self, examples: int, device: torch.device) -> None:
        """Draw the changes of one epoch: for each place in the order of examples."""
        for one, purpose in self._drawing:
            drawn = [one.draw(generator, examples) for generator in self._generators[purpose]]
            if one.changes:
                self._drawn[one.name] = torch.from_numpy(np.stack(drawn)).to(device)

    def apply(self, inputs: Tensor, start: int, fill: Tensor) -> Tensor:
        """Return the changed inputs.

        Args:
            inputs: of shape (members, batch, ...).
            start: place of the first of them in the epoch's order.
            fill: what zero is after normalization, of a shape that fits beside the inputs.
        """
        part = slice(start, start + inputs.shape[1])
        for one in self._applied:
            inputs = one.apply(inputs, self._drawn[one.name][:, part], fill)
        return inputs

    def mix(self, inputs: Tensor, targets: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Return mixed inputs and targets, after `apply`; the same ones where nothing mixes.

        Args:
            inputs: of shape (members, batch, ...).
            targets: soft ones, (members, batch, classes).
            start: as in `apply`.
        """
        part = slice(start, start + inputs.shape[1])
        for one in self._mixing:
            inputs, targets = one.mix(inputs, targets, self._drawn[one.name][:, part])
        return inputs, targets


def augmented(
    every: Sequence[Augmentation], trials: Sequence[Trial], shape: tuple[int, ...]
) -> Augmented | None:
    """Return the augmentation of a pack of trials; None where nothing is changed."""
    return Augmented(every, [one.seed_of("order") for one in trials], shape) if every else None
