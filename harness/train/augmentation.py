"""Random shifts and flips of training images, batch by batch on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.seeding import stream


class Augmentation:
    """Changes of the images of several members, each drawn from its own seed's stream."""

    def __init__(
        self, config: Mapping[str, Any], seeds: Sequence[int], shape: tuple[int, ...]
    ) -> None:
        """Prepare.

        Args:
            config: as in `harness.components.Augmentation`.
            seeds: of the members.
            shape: of one input.

        Raises:
            ValueError: if the inputs are no images.
        """
        if len(shape) != 3:
            raise ValueError(
                f"augmentation changes images (channels, height, width); these inputs are {shape}"
            )
        self._largest, self._flip = config["shift"], config["flip"]
        self._generators = [np.random.default_rng(stream(seed, "augmentation")) for seed in seeds]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some members only."""
        self._generators = [self._generators[row] for row in rows]

    def state(self) -> list[dict[str, Any]]:
        """Return where the draws of each member stand."""
        return [dict(generator.bit_generator.state) for generator in self._generators]

    def load(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Go on with draws from where they stood."""
        for generator, saved in zip(self._generators, state, strict=True):
            generator.bit_generator.state = dict(saved)

    def draw(self, examples: int, device: torch.device) -> None:
        """Draw the changes of one epoch: for each place in the order of examples."""
        moves, flips = [], []
        for generator in self._generators:
            moves.append(generator.integers(-self._largest, self._largest + 1, (examples, 2)))
            flips.append((generator.random(examples) < 0.5) & self._flip)
        self._moves = torch.from_numpy(np.stack(moves)).to(device)
        self._flips = torch.from_numpy(np.stack(flips)).to(device)

    def apply(self, inputs: Tensor, start: int, fill: Tensor) -> Tensor:
        """Return the changed images.

        Args:
            inputs: of shape (members, batch, channels, height, width).
            start: place of the first of them in the epoch's order.
            fill: what comes in from beyond the edges, of a shape that fits beside the inputs.
        """
        *_, height, width = inputs.shape
        part = slice(start, start + inputs.shape[1])
        down, right = self._moves[:, part, :, None].unbind(2)
        rows = torch.arange(height, device=inputs.device) - down
        columns = torch.arange(width, device=inputs.device) - right
        columns = torch.where(self._flips[:, part, None], width - 1 - columns, columns)
        inside = ((rows >= 0) & (rows < height))[..., :, None]
        inside = inside & ((columns >= 0) & (columns < width))[..., None, :]
        places = rows.clamp(0, height - 1)[..., :, None] * width
        places = places + columns.clamp(0, width - 1)[..., None, :]
        flat = inputs.flatten(3)
        moved = flat.gather(3, places.flatten(2).unsqueeze(2).expand_as(flat)).view_as(inputs)
        return torch.where(inside.unsqueeze(2), moved, fill)
