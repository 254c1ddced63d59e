"""A learning rate that rises first, then falls along half a cosine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.schedules.base import Horizon, Schedule, Share, half_cosine


class WarmupCosine(Schedule):
    """The learning rate rises in a line, then falls along half a cosine."""

    name: Literal["warmup_cosine"]
    warmup: Share = Field(0.1, description="share of all steps on which it rises")
    final: Share = Field(0.0, description="share of the learning rate that is left at the end")

    def multiplier(self, step: int, horizon: Horizon) -> float:
        """See `Schedule`."""
        rising = round(self.warmup * horizon.total)
        if step < rising:  # the first step counts, so that no step is wasted at a rate of zero
            return (step + 1) / rising
        return half_cosine(1.0, self.final, (step - rising) / (horizon.total - rising))
