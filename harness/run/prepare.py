"""From a study file to a plan whose trials have their identity, without loading any data."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.data import data_of
from harness.machine import machine
from harness.own.lookup import look_beside
from harness.plan import Assignment, Plan, block_seconds, data_key, estimate_seconds, make_plan
from harness.pretrained import need_library
from harness.run.outcome import forecast
from harness.run.schedule import Schedule
from harness.run.sequential_confirmation import deciding_from
from harness.search import best
from harness.store import Store
from harness.study import InputError, LoadedStudy, Problem, Study
from harness.trial import SECONDS, Phase, Record, State, trained_elsewhere
from harness.workloads import fingerprint

States = Mapping[str, State]
REUSABLE = {State.COMPLETE, State.DIVERGED, State.PRUNED}
ENOUGH_CONFIRMED = 200
LARGEST_LOOKED_AT = 50_000_000
"""Bytes of data files up to which a plan looks into them."""


def prepare(loaded: LoadedStudy, root: Path) -> Plan:
    """Make the plan of a study, with the fingerprints of the data that is on this machine.

    Raises:
        InputError: if there is nothing to be trained, because other code has done it.
        ExtraMissingError: if a network's library is not installed.
    """
    look_beside(loaded.folders)
    if any(trained_elsewhere(arm.workload) for arm in loaded.arms):
        named = loaded.arms[0].workload["training"]["name"]
        command = "import-mlflow" if named == "mlflow" else "import"
        message = f"its runs were trained elsewhere; `harness {command}` reads and judges them"
        raise InputError([Problem(message, loaded.file)])
    for arm in loaded.arms:
        need_library(arm.workload["model"])
    plan = make_plan(loaded.study, loaded.arms, profile=loaded.profile, overrides=loaded.overrides)
    found = {
        key: mark
        for key, config in data_configs(plan).items()
        if (mark := fingerprint(config, root)) is not None
    }
    return replace(plan, fingerprints=found)


def is_usable(store: Store, trial_id: str, phase: Phase, state: State | None) -> bool:
    """Tell whether a trial's record stands for it; a stage needs its products as well."""
    if phase is Phase.PRETRAINING and state is State.COMPLETE:
        return store.has_products(trial_id)
    return state in REUSABLE


def check_workers(loaded: LoadedStudy, *, in_process: bool) -> None:
    """Refuse trainings of the user's own by several workers where there is one process.

    Raises:
        InputError: naming what to write.
    """
    workers = loaded.study.resources.workers
    if in_process and workers > 1 and any(arm.workload.get("training") for arm in loaded.arms):
        message = (
            f"{workers} workers for a training of your own need Ray: leave out --in-process, or add"
            " --set resources.workers=1"
        )
        raise InputError([Problem(message, loaded.file, path="resources.workers")])


def timing_machine(study: Study, *, in_process: bool = False) -> Mapping[str, Any]:
    """Return what tells this machine from others, as far as blocks of a study may use it."""
    return machine(uses_gpu(study, in_process))


def uses_gpu(study: Study, in_process: bool) -> bool:
    """Whether blocks may compute on a GPU, as trials do."""
    return in_process or study.resources.gpus > 0


def data_configs(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """Return the distinct data configurations of a plan, by their key."""
    workloads = [stage.trial.workload for stage in plan.stages.values()]
    workloads += [arm.workload for arm in plan.all_arms]
    found: dict[str, Mapping[str, Any]] = {}
    before = ""
    for workload in workloads:
        if (as_text := repr(workload["data"])) != before:  # most arms have those of the one before
            found[data_key(workload)], before = workload["data"], as_text
    return found


def reading(plan: Plan, root: Path) -> list[str]:
    """Say how the files of a plan's data are read and divided, unless they are large.

    Raises:
        DataMissingError: if they cannot be used as asked.
    """
    lines = []
    for config in data_configs(plan).values():
        data = data_of(config)
        sizes = [file.stat().st_size for file in data.files(root) if file.is_file()]
        if sum(sizes) <= LARGEST_LOOKED_AT:
            lines += data.reading(root)
    return list(dict.fromkeys(lines))


@dataclass(frozen=True)
class Outlook:
    """How much of a plan is done, and what the rest will cost.

    Counts are of assignments, by phase; `costs` of the rest, as far as they can be forecast, in all
    and by arm (or stage).
    """

    total: Mapping[str, int]
    done: Mapping[str, int]
    costs: Mapping[str, float] = field(default_factory=dict)
    by_arm: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """The work left for one worker; None where no trial of the plan has been measured yet."""
        return self.costs.get(SECONDS) if self.to_run else 0.0

    @property
    def to_run(self) -> int:
        """The number of trials that have no usable record yet."""
        return sum(self.total.values()) - sum(self.done.values())


class Walk:
    """Counts what a schedule hands out on its way through a plan, as far as records lead it."""

    def __init__(self, plan: Plan):
        self._plan = plan
        self._total = plan.trial_counts()
        self._done = dict.fromkeys(self._total, 0)
        arms = plan.all_arms
        self._left = {arm.name: plan.search_count(arm) + plan.study.first_seeds for arm in arms}
        self._left |= dict.fromkeys(plan.stages, 1)
        timing = plan.study.timing
        self._blocks = timing.blocks if timing else 0
        self._searched: Counter[str] = Counter()
        self._confirmed: set[str] = set()
        self._measured: list[tuple[Record, float]] = []

    def meet(self, item: Assignment, *, done: bool) -> None:
        """Count an assignment; `done` says whether it has a usable record."""
        phase, name = item.phase, item.arm
        self._searched[name] += phase is Phase.SEARCH
        if phase is Phase.CONFIRMATION:
            self._confirmed.add(name)
            study = self._plan.study
            if item.trial.seed >= study.first_seed + study.first_seeds:
                self._total[phase.value] += 1  # a later instalment, which was not counted yet
                self._left[name] += 1
        if done:
            self._done[phase.value] += 1
            self._left[name] -= 1

    def wants(self, item: Assignment) -> bool:
        """Whether a forecast gets better by what this trial cost; that of thousands says enough."""
        return item.phase is not Phase.CONFIRMATION or len(self._measured) < ENOUGH_CONFIRMED

    def measure(self, record: Record) -> None:
        """Take what a trial cost as a measure for those to come."""
        self._measured.append((record, estimate_seconds(record.trial.workload)))

    def meet_blocks(self, blocks: Sequence[Sequence[Assignment]], states: States) -> None:
        """Count the timing blocks that have all their records."""
        done = [b for b in blocks if all(states.get(item.trial.id) in REUSABLE for item in b)]
        if self._blocks:
            self._blocks -= len(done)
            self._done[Phase.TIMING.value] = sum(map(len, done))

    def outlook(self) -> Outlook:
        """Return what was counted, and forecast the rest."""
        plan, total, left = self._plan, dict(self._total), dict(self._left)
        for arm in plan.all_arms:
            # With a budget in epochs, candidates that end early make room for others.
            more_asked = self._searched[arm.name] - plan.search_count(arm)
            if more_asked > 0 or arm.name in self._confirmed:
                total[Phase.SEARCH.value] += more_asked
                left[arm.name] += more_asked
        if not self._measured:  # the guesses would only be compared with each other
            for workload in {a.workload["model"]["name"]: a.workload for a in plan.arms}.values():
                estimate_seconds(workload)  # a network that does not say what it costs is told
            return Outlook(total, self._done)
        guesses = {arm.name: estimate_seconds(arm.workload) for arm in plan.all_arms}
        guesses |= {n: estimate_seconds(stage.trial.workload) for n, stage in plan.stages.items()}
        shares = {name: left[name] * guess for name, guess in guesses.items()}
        told = {name: forecast(share, self._measured) for name, share in shares.items() if share}
        by_arm = {name: costs for name, costs in told.items() if costs}
        costs = forecast(sum(shares.values()), self._measured)
        timed = plan.timed_arms if self._blocks and SECONDS in costs else []
        share = self._blocks * block_seconds(plan) / len(timed) if timed else 0.0
        for arm in timed:  # of whose seconds nothing is foretold by those of trainings
            own = by_arm.setdefault(arm.name, {})
            own[SECONDS] = own.get(SECONDS, 0.0) + share
            costs[SECONDS] = costs.get(SECONDS, 0.0) + share
        return Outlook(total, self._done, costs, by_arm)


def count_done(plan: Plan, store: Store | None) -> Outlook:
    """Say how much of a plan has been run, and estimate the rest.

    Walks the searches as far as the recorded candidates lead, and the looks of a sequential study
    as far as they are decided, so that neither Optuna nor any training code is needed.
    """
    walk = Walk(plan)
    if store is None:
        return walk.outlook()
    states = store.states()
    schedule = Schedule(plan, store.searches, lambda *_: [], best, deciding_from(store))
    queue = deque(schedule.start())
    while queue:
        item = queue.popleft()
        usable = states.get(item.trial.id) in REUSABLE
        walk.meet(item, done=usable)
        leads_on = item.phase is not Phase.CONFIRMATION or len(plan.study.looks) > 1
        if usable and (leads_on or walk.wants(item)):
            record = store.record(item.trial.id)
            assert record is not None
            if walk.wants(item):
                walk.measure(record)
            queue.extend(schedule.completed(record))
    if plan.study.timing is not None:
        walk.meet_blocks(schedule.timing_blocks(timing_machine(plan.study)), states)
    return walk.outlook()
