"""What trials take: the epochs of a search's budget, and time.

Seconds are measured where a trial ran before, and guessed where it did not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import InputError, returned
from harness.models import SimpleModel, network_of
from harness.models.base import Work
from harness.plan.plan import Plan
from harness.trial import Record
from harness.workloads import summary

# A guess for one CPU core, good to a factor of about three; measured trials replace it.
_SECONDS_PER_OPERATION = 1 / 3e10
_SECONDS_PER_LAYER = 6e-5
_SECONDS_PER_STEP = 2e-4
_SECONDS_PER_BLOCK = 5.0


@dataclass(frozen=True)
class Budget:
    """What the search of one arm may use, or has used, all repetitions together.

    Attributes:
        candidates: number of candidates. Planned with a budget in epochs, it is how many fit if
            none ends early.
        epochs: of training, on all search seeds.
    """

    candidates: int
    epochs: int


def budgets(plan: Plan) -> dict[str, Budget]:
    """Return the planned budget of every searched arm, by its name, in the plan's order."""
    search = plan.study.search
    planned = {}
    for arm in plan.all_arms:
        space = plan.space(arm)
        if search is not None and space is not None:
            planned[arm.name] = Budget(
                search.repeats * plan.sure_candidates(arm), search.repeats * space.budget
            )
    return planned


def epochs_of(record: Record) -> int:
    """Return the epochs that a trial was really trained for; all of them if it does not say."""
    return int(record.cost.get("epochs", record.trial.workload["epochs"]))


def estimate_seconds(workload: Mapping[str, Any]) -> float:
    """Guess the seconds of one trial on one core from its size.

    Raises:
        InputError: if a network does not say properly what it costs.
    """
    data, model = summary(workload["data"]), network_of(workload["model"])
    if isinstance(model, SimpleModel):
        return model.seconds(data.examples, data.form)
    work: Any = model.work(data.form)
    if not isinstance(work, Work):
        raise InputError(returned("work", model.name, work, "harness.models.base.Work"))
    steps: int = workload["epochs"] * math.ceil(data.examples / workload["batch_size"])
    arithmetic: float = 6 * work.products * workload["batch_size"] * _SECONDS_PER_OPERATION
    return steps * (_SECONDS_PER_STEP + work.layers * _SECONDS_PER_LAYER + arithmetic)


def block_seconds(plan: Plan) -> float:
    """Guess the seconds of one timing block: a process starts, and each arm is timed in it."""
    timing = plan.study.timing
    if timing is None or not plan.timed_arms:
        return 0.0
    total = _SECONDS_PER_BLOCK
    for arm in plan.timed_arms:
        training = estimate_seconds(arm.workload)
        data, size = summary(arm.workload["data"]), arm.workload["batch_size"]
        step = training / (arm.workload["epochs"] * math.ceil(data.examples / size))
        each = {"step": step, "inference": step / 3, "workers": step * len(timing.workers)}
        times = timing.warm_up + timing.repetitions
        total += sum(each[w] * times if w in each else training for w in timing.measure)
    return total
