"""The timing blocks of a plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.formatting import listed, plural, seconds
from harness.plan import Plan, block_seconds
from harness.study import select
from harness.study.timing_checks import untimable


def timing_as_dict(plan: Plan) -> dict[str, Any] | None:
    """Return what is timed, as `harness plan --json` prints it; None where nothing is."""
    timing = plan.study.timing
    if timing is None:
        return None
    return {
        **timing.model_dump(mode="json", exclude={"on"}),
        "arms": [arm.name for arm in plan.timed_arms],
        "threads": plan.study.resources.cpus,
        "seconds_per_block": round(block_seconds(plan), 1),
    }


def timing_lines(plan: Plan) -> Iterator[str]:
    """Say what is timed, how long that takes, and what is left out."""
    timing = plan.study.timing
    if timing is None:
        return
    arms, one = plan.timed_arms, block_seconds(plan)
    yield (
        f"timing        {listed(list(timing.measure))} of {plural(len(arms), 'arm')} in"
        f" {plural(timing.blocks, 'block')}, each a fresh process of about {seconds(one)}, when all"
        " else is done"
    )
    asked = select(plan.arms, timing.on) if timing.on else plan.arms
    for why in [why for arm in asked if (why := untimable(arm, timing.measure))]:
        yield f"not timed: {why}"
