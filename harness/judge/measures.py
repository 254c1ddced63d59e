"""From a test and its evidence to one number per seed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.evidence import Evidence
from harness.measures.base import MissingEvidence
from harness.metrics import DIVERGED, Metric
from harness.plan import Plan
from harness.stats.intervals import shrinkage_of_distances
from harness.study import Arm, Comparison, compared
from harness.study.claims import Test
from harness.study.contrasts import of_each_data_set
from harness.study.timing import is_timed
from harness.trial import LARGEST, NOT_FINITE

Numbers = NDArray[np.float64]


def unit_of(metric: str) -> str:
    """Return what gives claims on a metric one number each."""
    return "block" if is_timed(metric) else "seed"


def unit_of_test(test: Test) -> str:
    """Return what gives a test one number each: a seed, a block, or a data set."""
    return "data set" if test.generalize_over is not None else unit_of(test.metric)


def compared_arms(test: Test, plan: Plan) -> Comparison:
    """Return the arms that a test compares.

    Raises:
        MissingEvidence: if there are none; only a study that an older version accepted has such a
            test.
    """
    try:
        return compared(test, plan.study, plan.arms)
    except ValueError as error:
        raise MissingEvidence(str(error)) from None


def involved_arms(test: Test, plan: Plan) -> list[Arm]:
    """Return the arms that a test looks at, in their order."""
    try:
        names = {arm.name for side in compared_arms(test, plan).sides for arm in side}
    except MissingEvidence:
        return []
    return [arm for arm in plan.arms if arm.name in names]


def numbers_per_seed(test: Test, evidence: Evidence, seeds: int) -> Numbers:
    """Reduce the first so many seeds of the evidence to one number each, shape (seeds,).

    Of a metric that is measured in blocks there is one number for each block instead. A claim over
    data sets has one number for each data set, the mean over these seeds, in the order of levels.

    Raises:
        MissingEvidence: if a trial that the test needs is not there or has no such metric.
    """
    sample = _sample(test, evidence, seeds)
    factors, arms = evidence.plan.study.factors, compared_arms(test, evidence.plan).sides

    def reduced(chosen: Sequence[Sequence[Arm]]) -> Numbers:
        return test.measure.reduce([sample.per_seed(s) for s in chosen], factors, test.metric)

    if test.generalize_over is None:
        return reduced(arms)
    each = of_each_data_set(test.generalize_over, factors, arms)
    return np.array([float(reduced(chosen).mean()) for chosen in each])


def sides_per_seed(test: Test, evidence: Evidence, seeds: int) -> list[Numbers]:
    """Return one number per seed of each side, in the order of the measure, shape (seeds,) each.

    Raises:
        MissingEvidence: as `numbers_per_seed`.
    """
    sample = _sample(test, evidence, seeds)
    return [sample.per_seed(side) for side in compared_arms(test, evidence.plan).sides]


def varies_by_seed(test: Test, evidence: Evidence, seeds: int) -> bool:
    """Whether any arm that a test looks at has other numbers on other seeds, beyond rounding."""
    rows, _ = evidence.sample(test.metric, seeds)
    if test.metric not in rows:
        return False
    for arm in involved_arms(test, evidence.plan):
        values = rows.loc[rows["arm"] == arm.name, test.metric].dropna().to_numpy(np.float64)
        if len(values) and not np.allclose(values, values[0], rtol=1e-9, atol=0.0):
            return True
    return False


def _sample(test: Test, evidence: Evidence, seeds: int) -> _Sample:
    rows, counted = evidence.sample(test.metric, seeds)
    return _Sample(test, evidence.plan.metric(test.metric), rows, counted, evidence.details)


@dataclass(frozen=True)
class _Sample:
    """The confirmation trials that a test may use."""

    test: Test
    metric: Metric
    rows: pd.DataFrame
    seeds: int
    details: Mapping[str, Mapping[str, list[Any]]]

    def per_seed(self, side: Sequence[Arm]) -> Numbers:
        """Reduce the arms of one side to one number per seed, shape (seeds,)."""
        test, names = self.test, [arm.name for arm in side]
        mine = self.rows[self.rows["arm"].isin(names)]
        ended = mine[mine["state"] != "complete"]
        if test.diverged is not None or test.metric == DIVERGED:
            ended = ended[ended["state"] != "diverged"]
        if test.metric in ended:  # known of a diverged trial as well, such as before its first step
            ended = ended[ended[test.metric].isna()]
        planned = len(names) * self.seeds
        if len(mine) < planned or len(ended):
            raise MissingEvidence(_what_is_missing(mine, planned))
        if test.metric not in mine:
            raise MissingEvidence(self._what_is_not_finite(mine, names))
        values = mine[test.metric].astype(float)
        if said := self.metric.wrong_unit(float(values.max())):
            raise MissingEvidence(said)
        if test.diverged is not None:
            values = values.mask(mine["state"] == "diverged", test.diverged)
        values = values.where(np.isfinite(values))
        if values.isna().any():
            raise MissingEvidence(self._what_is_not_finite(mine[values.isna()], names))
        means = values.groupby([mine["seed"], mine["arm"]]).mean()
        table = means.unstack("arm")  # noqa: PD010  # a quarter of the time of a pivot table
        if test.spread_over_seeds:  # Brown and Forsythe, J. Am. Stat. Assoc. 69, 1974
            table = (table - table.median()).abs() / shrinkage_of_distances(self.seeds)
        found = np.asarray(test.measure.side(table.sort_index(), test.across), dtype=np.float64)
        if found.shape != (len(table),):
            raise ValueError(
                f"`side` of {test.measure.name} must give one number per seed: expected the shape "
                f"{(len(table),)}, found {found.shape}"
            )
        return found

    def _what_is_not_finite(self, without: pd.DataFrame, names: Sequence[str]) -> str:
        """Say which arms lack the metric, on how many seeds, and whether it was not finite."""
        metric, told = self.test.metric, []
        unit = unit_of(metric) + "s"
        for name in names:
            ids = without.loc[without["arm"] == name, "trial_id"]
            counts = Counter(self._why_none(id_) for id_ in ids)
            told += [f"{why} for {name} on {n} of {self.seeds} {unit}" for why, n in counts.items()]
        return f"{metric} {' and '.join(told)}"

    def _why_none(self, trial_id: str) -> str:
        """Say why a trial lacks the metric: it came out as no number, or was not reported."""
        start = f"{self.test.metric}: "
        for text in self.details.get(trial_id, {}).get(NOT_FINITE, ()):
            if text.startswith(start) and " in epoch " not in text:
                finite = math.isfinite(float(text.removeprefix(start)))
                return f"is beyond {LARGEST:g}" if finite else "is not finite"
        return "does not exist"


def _what_is_missing(rows: pd.DataFrame, planned: int) -> str:
    counts = rows["state"].value_counts()
    parts = [f"{count} {state}" for state, count in counts.items() if state != "complete"]
    absent = planned - len(rows)
    if absent:
        parts.append(f"{absent} not run")
    return f"of {planned} trials {', '.join(parts)}"
