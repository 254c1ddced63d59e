"""A learning rate that falls in steps."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from harness.schedules.base import Horizon, Schedule


class Step(Schedule):
    """The learning rate is multiplied by `factor` after every so many epochs."""

    name: Literal["step"]
    every: int = Field(10, ge=1, description="epochs")
    factor: float = Field(0.1, gt=0, le=1)

    def multiplier(self, step: int, horizon: Horizon) -> float:
        """See `Schedule`."""
        return math.pow(self.factor, step // horizon.per_epoch // self.every)
