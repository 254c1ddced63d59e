"""What the confirmation trials of each arm say together, as other tools are told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.evidence import Evidence
from harness.judged import Verdict
from harness.metrics import Metric
from harness.stats.averages import rate_interval
from harness.study import Arm
from harness.track import ArmSummary
from harness.trial import State


def arm_summaries(evidence: Evidence, verdicts: Sequence[Verdict]) -> list[ArmSummary]:
    """Return every arm of a study with its means, in the order of the plan.

    Args:
        evidence: whose confirmation trials are counted.
        verdicts: of its claims; an arm has those that rest on any of its trials.
    """
    rows = evidence.trials[evidence.trials["phase"].isin(["confirmation", "timing"])]
    groups = {str(name): mine for name, mine in rows.groupby("arm", sort=False)}
    used = {verdict.id: set(verdict.trials) for verdict in verdicts}
    found = []
    for arm in evidence.plan.all_arms:
        mine = groups.get(arm.name, rows.iloc[:0])
        trials = set(mine["trial_id"])
        claims = {v.id: v.words for v in verdicts if not trials.isdisjoint(used[v.id])}
        confirmed = mine[mine["phase"] == "confirmation"]
        found.append(_summary(evidence, arm, confirmed, claims))
    return found


def _summary(
    evidence: Evidence, arm: Arm, rows: pd.DataFrame, claims: Mapping[str, str]
) -> ArmSummary:
    primary = evidence.plan.metric(evidence.primary_metric)
    complete = rows[rows["state"] == State.COMPLETE.value]
    names = (primary.name, evidence.validation_metric, "cost.parameters", "cost.seconds")
    values = {
        name: complete[name].dropna().to_numpy(dtype=float) for name in names if name in complete
    }
    return ArmSummary(
        arm.name,
        arm.levels,
        {name: float(np.mean(numbers)) for name, numbers in values.items() if len(numbers)},
        mean_interval(values.get(primary.name, np.zeros(0)), primary),
        len(complete),
        _seeds(rows["state"], len(complete)),
        claims,
    )


def mean_interval(values: npt.NDArray[np.float64], metric: Metric) -> tuple[float, float] | None:
    """Return the 95 % interval of a mean, within the bounds of its metric; None without one.

    Args:
        values: one for each seed, shape (seeds,).
        metric: of a binary one it is the exact interval of a share, else the t interval.
    """
    if metric.binary and len(values):
        return rate_interval(int(values.sum()), len(values))
    low, high = metric.interval(values) if len(values) > 1 else (-math.inf, math.inf)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _seeds(states: pd.Series, complete: int) -> str:
    """Say of how many seeds a mean is, and what became of the others: "9 of 12, 3 diverged"."""
    if complete == len(states):
        return str(complete)
    others = states[states != State.COMPLETE.value].value_counts()
    return ", ".join([f"{complete} of {len(states)}", *(f"{n} {s}" for s, n in others.items())])
