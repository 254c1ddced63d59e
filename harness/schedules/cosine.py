"""A learning rate that falls along half a cosine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.schedules.base import Horizon, Schedule, Share, half_cosine


class Cosine(Schedule):
    """The learning rate falls along half a cosine (Loshchilov and Hutter 2017)."""

    name: Literal["cosine"]
    final: Share = Field(0.0, description="share of the learning rate that is left at the end")

    def multiplier(self, step: int, horizon: Horizon) -> float:
        """See `Schedule`."""
        return half_cosine(1.0, self.final, step / horizon.total)
