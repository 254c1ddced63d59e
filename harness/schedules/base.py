"""What a schedule is: what the learning rate is multiplied by, as a function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from harness.components.base import Component

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Horizon:
    """How long a training is, in steps."""

    total: int
    per_epoch: int


class Schedule(Component):
    """A schedule. A subclass has a `name` of one value, which is also its module's name.

    The trials of a pack may have different schedules: each is asked for its own multiplier.
    """

    name: str

    def multiplier(self, step: int, horizon: Horizon) -> float:
        """Return what the optimizer's learning rate is multiplied by.

        Args:
            step: steps already taken, 0 to total - 1.
            horizon: of the training.
        """
        raise NotImplementedError


def half_cosine(start: float, end: float, share: float) -> float:
    """Return a value between two, along half a cosine; `share` is how far one is on the way."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
