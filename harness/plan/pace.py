"""How long the rest of a run takes: trials weighed by their guessed seconds, at the pace so far."""

from __future__ import annotations

from harness.plan.budgets import block_seconds, estimate_seconds
from harness.plan.plan import Plan

MEASURED_FROM = 3.0
"""Seconds of a run before a time left is told; what comes sooner is mostly the first imports."""
TOLD_FROM = 0.02
"""Share of the work that has to be done, too: one early trial says little about the pace of all."""


def guessed_seconds(plan: Plan) -> dict[str, float]:
    """Return the guessed seconds of one trial of every arm and every stage, by its name."""
    found = {arm.name: estimate_seconds(arm.workload) for arm in plan.all_arms}
    return found | {n: estimate_seconds(s.trial.workload) for n, s in plan.stages.items()}


def guessed_timing_seconds(plan: Plan) -> float:
    """Return the guessed seconds of one arm in one timing block; 0 where nothing is timed."""
    return block_seconds(plan) / max(1, len(plan.timed_arms))


def seconds_at_pace(elapsed: float, worked: float, left: float) -> float | None:
    """Return how many seconds the rest takes if it goes on as before.

    Args:
        elapsed: seconds since the first trial began.
        worked: guessed seconds of the trials that have ended.
        left: guessed seconds of the trials that have not.

    Returns:
        None where nothing is left, or too little is done to tell.
    """
    if not worked or left <= 1e-9 * worked:  # what sums leave over by rounding is nothing
        return None
    known = elapsed >= MEASURED_FROM and worked >= TOLD_FROM * (worked + left)
    return elapsed * left / worked if known else None
