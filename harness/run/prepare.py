"""From a study file to a plan whose trials have their identity, without loading any data."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.plan import Plan, data_key, estimate_seconds, make_plan
from harness.pretrained import need_library
from harness.run.costs import SECONDS, forecast
from harness.run.schedule import Schedule
from harness.search import best
from harness.store import Store
from harness.study import InputError, LoadedStudy, Problem
from harness.trial import Phase, Record, State, trained_elsewhere
from harness.workloads import fingerprint

REUSABLE = {State.COMPLETE, State.DIVERGED, State.PRUNED}


def prepare(loaded: LoadedStudy, root: Path) -> Plan:
    """Make the plan of a study, with the fingerprints of the data that is on this machine.

    Raises:
        InputError: if there is nothing to be trained, because other code has done it.
        ExtraMissingError: if a network's library is not installed.
    """
    if any(trained_elsewhere(arm.workload) for arm in loaded.arms):
        message = "its runs were trained elsewhere; `harness import-mlflow` reads and judges them"
        raise InputError([Problem(message, loaded.file)])
    for arm in loaded.arms:
        need_library(arm.workload["model"])
    plan = make_plan(loaded.study, loaded.arms, profile=loaded.profile, overrides=loaded.overrides)
    found = {
        key: mark
        for key, config in data_configs(plan).items()
        if (mark := fingerprint(config, root)) is not None
    }
    return make_plan(
        loaded.study,
        loaded.arms,
        profile=loaded.profile,
        overrides=loaded.overrides,
        fingerprints=found,
    )


def data_configs(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """Return the distinct data configurations of a plan, by their key."""
    workloads = [stage.trial.workload for stage in plan.stages.values()]
    workloads += [arm.workload for arm in plan.all_arms]
    return {data_key(workload): workload["data"] for workload in workloads}


@dataclass(frozen=True)
class Outlook:
    """How much of a plan is done, and what the rest will cost.

    Counts are of assignments, by phase; `costs` of the rest, as far as they can be forecast.
    """

    total: Mapping[str, int]
    done: Mapping[str, int]
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The estimated work left for one worker."""
        return self.costs.get(SECONDS, 0.0)

    @property
    def to_run(self) -> int:
        """The number of trials that have no usable record yet."""
        return sum(self.total.values()) - sum(self.done.values())


def count_done(plan: Plan, store: Store | None) -> Outlook:
    """Say how much of a plan has been run, and estimate the rest.

    Walks the searches as far as the recorded candidates lead, and the looks of a sequential study
    as far as they are decided, so that neither Optuna nor any training code is needed.
    """
    total = plan.trial_counts()
    done = dict.fromkeys(total, 0)
    left = {arm.name: plan.search_count(arm) + plan.study.first_seeds for arm in plan.all_arms}
    left |= dict.fromkeys(plan.stages, 1)
    searched: Counter[str] = Counter()
    confirmed: set[str] = set()
    measured: list[tuple[Record, float]] = []
    if store is not None:
        states = store.states()
        schedule = Schedule(plan, store, lambda *_: [], best)
        queue = deque(schedule.start())
        while queue:
            item = queue.popleft()
            searched[item.arm] += item.phase is Phase.SEARCH
            if item.phase is Phase.CONFIRMATION:
                confirmed.add(item.arm)
            if item.phase is Phase.CONFIRMATION and item.trial.seed >= plan.study.first_seeds:
                total[item.phase.value] += 1  # a later instalment, which was not counted yet
                left[item.arm] += 1
            if states.get(item.trial.id) not in REUSABLE:
                continue
            done[item.phase.value] += 1
            left[item.arm] -= 1
            more = item.phase is not Phase.CONFIRMATION or len(plan.study.looks) > 1
            if more or len(measured) < 200:
                record = store.record(item.trial.id)
                assert record is not None
                guess = estimate_seconds(item.trial.workload)
                measured.append((record, guess))
                queue.extend(schedule.completed(record))
    for arm in plan.all_arms:
        # With a budget in epochs, candidates that end early make room for others.
        more_asked = searched[arm.name] - plan.search_count(arm)
        if more_asked > 0 or (arm.name in confirmed and store is not None):
            total[Phase.SEARCH.value] += more_asked
            left[arm.name] += more_asked
    guesses = {arm.name: estimate_seconds(arm.workload) for arm in plan.all_arms}
    guesses |= {n: estimate_seconds(stage.trial.workload) for n, stage in plan.stages.items()}
    seconds = sum(left[name] * guess for name, guess in guesses.items())
    return Outlook(total, done, forecast(seconds, measured))
