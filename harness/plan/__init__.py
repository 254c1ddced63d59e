"""From a study to trials: pure, quick, and the same before the run and after it."""

from harness.plan.budgets import Budget, budgets, epochs_of
from harness.plan.estimate import estimate_seconds
from harness.plan.grid import grid_points
from harness.plan.plan import (
    FIXED,
    SIMPLE_BASELINE,
    Assignment,
    Plan,
    Winner,
    data_key,
    make_plan,
)
from harness.plan.space import SearchSpace, corners

__all__ = [
    "FIXED",
    "SIMPLE_BASELINE",
    "Assignment",
    "Budget",
    "Plan",
    "SearchSpace",
    "Winner",
    "budgets",
    "corners",
    "data_key",
    "epochs_of",
    "estimate_seconds",
    "grid_points",
    "make_plan",
]
