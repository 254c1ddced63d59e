"""From a study to trials: pure, quick, and the same before the run and after it."""

from harness.plan.budgets import Budget, block_seconds, budgets, epochs_of, estimate_seconds
from harness.plan.pace import guessed_seconds, guessed_timing_seconds, seconds_at_pace
from harness.plan.plan import (
    FIXED,
    Assignment,
    Plan,
    Winner,
    data_key,
    make_plan,
)
from harness.plan.space import SearchSpace, corners
from harness.study.design import SIMPLE_BASELINE, is_simple_baseline

__all__ = [
    "FIXED",
    "SIMPLE_BASELINE",
    "Assignment",
    "Budget",
    "Plan",
    "SearchSpace",
    "Winner",
    "block_seconds",
    "budgets",
    "corners",
    "data_key",
    "epochs_of",
    "estimate_seconds",
    "guessed_seconds",
    "guessed_timing_seconds",
    "is_simple_baseline",
    "make_plan",
    "seconds_at_pace",
]
