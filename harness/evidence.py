"""Records to one tidy data frame: the evidence of a study, and its learning curves."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.formatting import listed
from harness.identity import task_learned
from harness.metrics import DIVERGED, GAPS
from harness.plan import Plan, is_simple_baseline, make_plan
from harness.plan.budgets import epochs_of
from harness.probes.base import Probe, Shown, artifact
from harness.search.found import repetitions, with_searches
from harness.stats.best_of import expected_best
from harness.store import AssignedRecord, Execution
from harness.study import Arm, study_from_dict
from harness.study.timing import is_timed
from harness.study.workload import Workload
from harness.trial import (
    EVIDENCE,
    PARAMETERS,
    TRAINED_PARAMETERS,
    Outcomes,
    Phase,
    State,
    cost_of,
)

Made = TypeVar("Made")


class RecordSource(Protocol):
    """Where the records of an execution lie: the store of this machine, or a published file."""

    def assigned_records(self, execution: int) -> Iterable[AssignedRecord]:
        """Return what an execution's trials were for, each with its record."""

    def lost_attempts(self, trial_ids: Iterable[str]) -> list[tuple[str, int, str]]:
        """Return (trial_id, attempt, cause) of the attempts of these trials that were lost."""

    def outcomes(self, trial_ids: Iterable[str]) -> Mapping[str, Outcomes]:
        """Return what each test example came out as in these trials, where it was recorded."""


class RecordsAtHand:
    """A source of records that are at hand already, whatever the execution.

    Attributes:
        outcomes: see `RecordSource`; nothing unless it is given.
    """

    def __init__(
        self,
        assigned: Sequence[AssignedRecord],
        outcomes: Callable[[Iterable[str]], Mapping[str, Outcomes]] = lambda _: {},
    ):
        self._assigned = assigned
        self.outcomes = outcomes

    def assigned_records(self, execution: int) -> Sequence[AssignedRecord]:
        """See `RecordSource`."""
        del execution
        return self._assigned

    def lost_attempts(self, trial_ids: Iterable[str]) -> list[tuple[str, int, str]]:
        """Return none: what was lost on the way decides nothing."""
        del trial_ids
        return []


@dataclass(frozen=True)
class Compared:
    """Arms whose results can be set side by side: one test set, one loss; `label` names it."""

    label: str
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """All that a study's report and verdicts rest on.

    Attributes:
        plan: the plan, rebuilt from what was declared at the execution.
        execution: when it ran, in what environment, and how it ended.
        trials: one row per assignment, in planned order: arm, phase, candidate, seed, state,
            reason, trial_id, reused, device, one column `level.<factor>` per factor,
            `parameter.<path>` per searched path, and the metrics and costs (`test.accuracy`,
            `cost.seconds`, ...). A metric that a trial does not have is missing (NaN). Only
            `epochs_spent` and `spent.worker_seconds` (`spent.gpu_seconds`, `spent.joules` where
            they were measured) are there for every record: what a trial cost is no result; and
            `outcome.diverged` for every one that is complete or diverged.
        curves: one row per confirmation trial and epoch: arm, seed, epoch and the metrics.
        details: trial_id to lists such as gradient norms by layer, or what a probe shows.
        environments: the distinct environments that trials ran in.
        outcomes: trial_id to what each test example came out as, by metric, (examples,) each;
            absent for trials of older versions and for tasks that do not tell.
    """

    plan: Plan
    execution: Execution
    trials: pd.DataFrame
    curves: pd.DataFrame
    details: Mapping[str, Mapping[str, list[Any]]]
    environments: list[dict[str, Any]]
    outcomes: Mapping[str, Outcomes] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def confirmation(self) -> pd.DataFrame:
        """The rows that count as evidence."""
        return self.trials[self.trials["phase"] == Phase.CONFIRMATION.value]

    @property
    def timing(self) -> pd.DataFrame:
        """The rows of the timing blocks; `seed` is the number of the block."""
        return self.trials[self.trials["phase"] == Phase.TIMING.value]

    def sample(self, metric: str, seeds: int) -> tuple[pd.DataFrame, int]:
        """Return the rows that claims on a metric rest on, and how many there are of each arm.

        They are those of the first so many confirmation seeds; of a metric that is measured in
        blocks, those of all blocks.
        """
        if is_timed(metric):
            timing = self.plan.study.timing
            return self.timing, timing.blocks if timing else 0
        rows = self.confirmation
        if metric == TRAINED_PARAMETERS and PARAMETERS in rows:  # not said where all are trained
            said = rows.get(metric, rows[PARAMETERS])
            rows = rows.assign(**{metric: said.fillna(rows[PARAMETERS])})
        return rows[rows["seed"] < self.plan.study.first_seed + seeds], seeds

    @property
    def primary_metric(self) -> str:
        """The test metric that the study is about: the twin of the one it searches by."""
        study, plan = self.plan.study, self.plan
        own = "test." + plan.search_metric(plan.baseline).partition(".")[2]
        if study.search is not None:
            return own
        claimed = [t.metric for claim in study.claims for t in claim.tests]
        named = [metric for metric in claimed if metric.startswith("test.")]
        return max(named, key=named.count) if named else own

    @property
    def validation_metric(self) -> str:
        """The validation metric that goes with the primary one, or else selects the epoch."""
        twin = "validation." + self.primary_metric.partition(".")[2]
        return twin if twin in self.trials else self.plan.search_metric(self.plan.baseline)

    @property
    def best_arm(self) -> str | None:
        """The arm with the best mean of the validation metric on the confirmation seeds.

        One that diverged on some of them comes after all others, whatever the rest of its seeds
        say. None without results, or where nothing says whether a low or a high one is better.
        """
        return self.best_among([arm.name for arm in self.plan.arms])

    def best_among(self, arms: Sequence[str]) -> str | None:
        """Return the best of some arms, as `best_arm` is that of all."""
        metric, values = self.validation_metric, self.values_by_arm(self.validation_metric)
        named = {arm for arm in arms if not is_simple_baseline(arm)}
        means = {a: float(v.mean()) for a, v in values.items() if a in named}
        whole = {a: mean for a, mean in means.items() if a not in self.diverged}
        return self.plan.metric(metric).best(whole or means)

    @cached_property
    def compared(self) -> tuple[Compared, ...]:
        """The arms by what they are tested on, in planned order; one group in most studies.

        Settings that change the training examples alone (`limit`, `validation_fraction`,
        `label_noise`) make no other group; another loss does, where the metric is the loss.
        """
        groups: dict[str, list[str]] = {}
        settings: dict[str, dict[str, Any]] = {}
        for arm in self.plan.all_arms:
            found = _tested_on(self.plan, arm, self.primary_metric)
            key = json.dumps(found, sort_keys=True)
            groups.setdefault(key, []).append(arm.name)
            settings[key] = found
        labels = _told_apart(list(settings.values()))
        return tuple(
            Compared(label, tuple(arms))
            for label, arms in zip(labels, groups.values(), strict=True)
        )

    @cached_property
    def diverged(self) -> dict[str, str]:
        """The arms that diverged on some confirmation seeds, and on how many: "3 of 12"."""
        rows = self.confirmation
        found = rows[rows["state"] == State.DIVERGED.value]["arm"].value_counts()
        return {str(arm): f"{n} of {(rows['arm'] == arm).sum()}" for arm, n in found.items()}

    @property
    def only_of_the_rest(self) -> str:
        """Say whose means are those of the seeds that did not diverge; empty if no arm's are."""
        arms = listed([f"{arm} ({count})" for arm, count in self.diverged.items()])
        return arms and (
            f" Some seeds diverged: {arms}. Means of these arms are of the other seeds alone, so"
            " they flatter."
        )

    @cached_property
    def finished_curves(self) -> dict[str, pd.DataFrame]:
        """The rows of `curves` whose trials trained to the end, by arm."""
        rows = self.confirmation
        ended = rows.loc[rows["state"] == State.COMPLETE.value, ["arm", "seed"]].drop_duplicates()
        curves = self.curves.merge(ended, on=["arm", "seed"])
        return {str(arm): mine for arm, mine in curves.groupby("arm")}

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what `make` gives, which is made once for this evidence and key."""
        if key not in self._made:
            self._made[key] = make()
        found: Made = self._made[key]
        return found

    def values_by_arm(self, metric: str) -> dict[str, NDArray[np.float64]]:
        """Return a metric's values on the confirmation seeds of every arm that has any."""
        rows = self.confirmation
        if metric not in rows:
            return {}
        rows = rows[rows[metric].notna()]
        return {
            str(arm): mine[metric].to_numpy(dtype=float)
            for arm, mine in rows.groupby("arm", sort=False)
        }


_OF_TRAINING = ("limit", "labels", "validation_fraction", "label_noise")


def _tested_on(plan: Plan, arm: Arm, metric: str) -> dict[str, Any]:
    """Return what decides whether results of two arms mean the same: test data, metric and loss.

    Tasks that measure the same metric, such as one and another that quantizes, are alike.
    """
    workload = Workload.model_validate_json(json.dumps(arm.workload), strict=True)
    shown = workload.model_dump(mode="json", include={"data", "task", "loss"})
    if is_simple_baseline(arm.name):  # has no task of its own
        shown |= plan.study.workload.model_dump(mode="json", include={"task"})
    task = task_learned(shown)
    shown["task"] = repr(task.measures.get(metric.partition(".")[2], task.name))
    if not metric.endswith(".loss"):
        shown["loss"] = None
    shown["data"] = {k: v for k, v in shown["data"].items() if k not in _OF_TRAINING}
    return shown


def _told_apart(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name test sets by their data; those of one name by the settings that differ, or numbers."""
    names = [str(found["data"].get("name", "data")) for found in settings]
    labels = []
    for name, mine in zip(names, settings, strict=True):
        alike = [s["data"] for n, s in zip(names, settings, strict=True) if n == name]
        said = [
            f"{key.replace('_', ' ')} {value}"
            for key, value in mine["data"].items()
            if _plain(value) and any(other.get(key) != value for other in alike)
        ]
        labels.append(f"{name} ({', '.join(said)})" if said else name)
    return [
        label if labels.count(label) == 1 else f"{label} {labels[:place].count(label) + 1}"
        for place, label in enumerate(labels)
    ]


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def shown_by(evidence: Evidence, probe: type[Probe]) -> list[Shown]:
    """Return what a probe left of the confirmation trials, in the order of arms and seeds."""
    names = {arm.name: place for place, arm in enumerate(evidence.plan.all_arms)}
    classes = {arm.name: cache(partial(_class_names, arm)) for arm in evidence.plan.all_arms}
    rows = evidence.confirmation
    rows = rows[rows["state"] == "complete"]
    found = []
    for arm, seed, trial_id in zip(rows["arm"], rows["seed"], rows["trial_id"], strict=True):
        parts = artifact(probe, evidence.details.get(trial_id, {}))
        if parts is not None:
            found.append(Shown(str(arm), int(seed), parts, classes[arm]()))
    return sorted(found, key=lambda shown: (names[shown.arm], shown.seed))


def _class_names(arm: Arm) -> tuple[str, ...]:
    return Workload.model_validate_json(json.dumps(arm.workload), strict=True).data.class_names


def candidate_values(evidence: Evidence, arm: Arm) -> list[NDArray[np.float64]]:
    """Return what the candidates of an arm were worth, in the order in which they were asked.

    Returns:
        One array for each repetition of the search, shape (candidates,): the metric that chooses
        the winner, averaged over the search seeds; NaN where a trial did not complete. Empty where
        nothing was searched, or nothing says whether a low or a high value is better.
    """
    space = evidence.plan.space(arm)
    if space is None or space.metric.goal is None:
        return []
    name = space.metric.name
    make = partial(repetitions, evidence.trials, evidence.plan, arm, name)
    return evidence.once(("candidates", arm.name, name), make)


def expected_best_of(evidence: Evidence, arm: Arm) -> NDArray[np.float64]:
    """Return the expected best validation of 1, 2, ... candidates, averaged over repetitions.

    Shape (candidates,), of the repetition with the fewest; empty where no candidate has a value.
    """
    space, tried = evidence.plan.space(arm), candidate_values(evidence, arm)
    if space is None or not tried or any(not np.isfinite(values).any() for values in tried):
        return np.empty(0)
    curves = [expected_best(values, space.metric.sign) for values in tried]
    shortest = min(len(curve) for curve in curves)
    found: NDArray[np.float64] = np.mean([curve[:shortest] for curve in curves], axis=0)
    return found


def trained_alone(rows: pd.DataFrame) -> pd.Series:
    """Tell of each trial whether the time that it took is its own, and no share of a pack's."""
    if "cost.pack_size" not in rows:
        return pd.Series(True, index=rows.index)
    return rows["cost.pack_size"].isna() | (rows["cost.pack_size"] <= 1)


def plan_of(execution: Execution) -> Plan:
    """Return the plan of an execution, rebuilt from what was declared."""
    study, arms = study_from_dict(execution.declaration)
    return make_plan(
        study,
        arms,
        profile=execution.profile,
        overrides=execution.context.get("overrides", {}),
        fingerprints=execution.context.get("fingerprints", {}),
    )


def gather(source: RecordSource, execution: Execution, plan: Plan | None = None) -> Evidence:
    """Collect the evidence of one execution, whose plan may be at hand."""
    assigned = source.assigned_records(execution.id)  # first, since it tells if anything is damaged
    plan = plan or plan_of(execution)
    levels = {arm.name: arm.levels for arm in plan.all_arms}
    rows, points, details = [], [], {}
    environments: dict[str, dict[str, Any]] = {}
    for item in assigned:
        rows.append(_row(item, levels.get(item.arm, {})))
        record = item.record
        if record is None:
            continue
        environments.setdefault(repr(sorted(record.environment.items())), dict(record.environment))
        if item.phase in EVIDENCE:
            details[item.trial_id] = record.details
        if item.phase is Phase.CONFIRMATION:
            points += [{"arm": item.arm, "seed": item.seed, **point} for point in record.curve]
    return Evidence(
        plan,
        execution,
        with_searches(pd.DataFrame(rows), plan),
        pd.DataFrame(points, columns=None if points else ["arm", "seed", "epoch"]),
        details,
        list(environments.values()),
        source.outcomes(details),
    )


def _row(item: AssignedRecord, levels: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "arm": item.arm,
        "phase": item.phase.value,
        "candidate": item.candidate,
        "seed": item.seed,
        "trial_id": item.trial_id,
        "reused": item.reused,
        "state": item.record.state.value if item.record else "missing",
        "reason": item.record.reason if item.record else "",
    }
    row |= {f"level.{factor}": level for factor, level in levels.items()}
    row |= {f"parameter.{path}": value for path, value in item.parameters.items()}
    if item.record is not None:
        row["epochs_spent"] = epochs_of(item.record)
        row |= {f"spent.{unit}": value for unit, value in cost_of(item.record).items()}
        row["device"] = _device(item.record.environment)
        if item.record.state in (State.COMPLETE, State.DIVERGED):
            row[DIVERGED] = float(item.record.state is State.DIVERGED)
    if item.record is not None and item.record.state is State.DIVERGED:
        row |= item.record.metrics  # what was known before the first step
    if item.record is not None and item.record.state is State.COMPLETE:
        row |= item.record.metrics
        row |= _gaps(item.record.metrics)
        row |= {f"cost.{name}": value for name, value in item.record.cost.items()}
        row["selected_epoch"] = item.record.selected_epoch
    return row


def _device(environment: Mapping[str, Any]) -> str | None:
    """Name what a trial ran on: "CPU", or the name of its accelerator; None if that is unknown."""
    kind = environment.get("device")
    if kind in (None, "cpu"):
        return kind and "CPU"
    return str(environment.get("device_name") or kind)


def _gaps(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return how much worse a network does on validation than on training examples, and on test."""
    found = {}
    for gap, better, worse in GAPS:
        for name, sign in (("accuracy", 1), ("loss", -1)):
            one, other = metrics.get(f"{better}.{name}"), metrics.get(f"{worse}.{name}")
            if one is not None and other is not None:
                found[f"{gap}.{name}"] = sign * (one - other)
    return found
