"""No change of the learning rate."""

from __future__ import annotations

from typing import Literal

from harness.schedules.base import Horizon, Schedule


class Constant(Schedule):
    """The optimizer's learning rate throughout."""

    name: Literal["constant"]

    def multiplier(self, step: int, horizon: Horizon) -> float:
        """See `Schedule`."""
        del step, horizon
        return 1.0
