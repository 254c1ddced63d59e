"""From a study to trials: pure, quick, and the same before the run and after it."""

from harness.plan.estimate import estimate_seconds
from harness.plan.grid import grid_points
from harness.plan.plan import (
    FIXED,
    SIMPLE_BASELINE,
    Assignment,
    Plan,
    SearchSpace,
    Winner,
    data_key,
    make_plan,
)

__all__ = [
    "FIXED",
    "SIMPLE_BASELINE",
    "Assignment",
    "Plan",
    "SearchSpace",
    "Winner",
    "data_key",
    "estimate_seconds",
    "grid_points",
    "make_plan",
]
