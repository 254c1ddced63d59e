"""A learning rate that goes up and down once."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.schedules.base import Horizon, Schedule, Share, half_cosine


class OneCycle(Schedule):
    """Up and down once (Smith and Topin 2018); the optimizer's learning rate is the peak.

    As in PyTorch, along cosines; momentum stays as it is.
    """

    name: Literal["one_cycle"]
    peak: Share = Field(0.3, description="share of all steps before the peak")
    start_divisor: float = Field(25.0, ge=1, description="peak over the first learning rate")
    end_divisor: float = Field(1e4, ge=1, description="the first learning rate over the last")

    def multiplier(self, step: int, horizon: Horizon) -> float:
        """See `Schedule`."""
        first = 1 / self.start_divisor
        last = first / self.end_divisor
        peak, end = self.peak * horizon.total - 1, horizon.total - 1
        if step <= peak and peak > 0:
            return half_cosine(first, 1.0, step / peak)
        peak = max(peak, 0.0)
        return half_cosine(1.0, last, (step - peak) / (end - peak) if end > peak else 1.0)
