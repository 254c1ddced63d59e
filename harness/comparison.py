"""What differs between two sets of results beyond noise: two machines, two versions, two dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.evidence import Evidence
from harness.judge import MissingEvidence, numbers_per_seed
from harness.judged import Verdict
from harness.stats.multiplicity import holm
from harness.stats.paired import PairedT, paired_t
from harness.trial import TIMED

ALPHA = 0.05
_COMPARED = ("test.", "validation.", "probe.")
_KEYS = ["arm", "seed"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """The results of one profile in one set: its evidence, judged."""

    evidence: Evidence
    verdicts: Sequence[Verdict]


@dataclass(frozen=True)
class ClaimChange:
    """One claim in both sets.

    `difference` is the second effect minus the first (of logarithms for a ratio), paired over the
    seeds that both have; None where a set has no number per seed, or the test was declared
    differently. `first` or `second` is None where a set does not make the claim.
    """

    id: str
    first: Verdict | None
    second: Verdict | None
    difference: PairedT | None
    p_corrected: float | None

    @property
    def says(self) -> str:
        """The claim in words."""
        return (self.first or self.second).says  # type: ignore[union-attr]

    @property
    def changed(self) -> bool:
        """Whether the verdicts differ, or only one set has one."""
        return getattr(self.first, "verdict", None) != getattr(self.second, "verdict", None)

    @property
    def beyond_noise(self) -> bool:
        """Whether the effects differ by more than the seeds explain."""
        return self.p_corrected is not None and self.p_corrected <= ALPHA


@dataclass(frozen=True)
class MetricChange:
    """A metric of one arm: means over the seeds that both sets have, and the paired difference."""

    arm: str
    metric: str
    first: float
    second: float
    difference: PairedT
    p_corrected: float

    @property
    def beyond_noise(self) -> bool:
        """Whether the means differ by more than the seeds explain."""
        return self.p_corrected <= ALPHA


@dataclass(frozen=True)
class CostChange:
    """Training time of one arm: the second set's over the first's, with its interval."""

    arm: str
    first: float
    second: float
    ratio: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class ProfileComparison:
    """One profile of one study in both sets.

    Attributes:
        study: name of the study.
        profile: name of the profile.
        settings: (what, in the first set, in the second) of what differs in plan and environment.
        pairs: pairs of confirmation trials of one arm and seed.
        same_trial: pairs that are the same trial by its id: equal settings, data and code.
        identical: pairs of which every compared metric is equal.
        irreproducible: pairs that are the same trial, yet differ in a metric without a clock.
        claims: every claim that either set makes.
        metrics: every metric of every arm that both sets have; p is corrected over all of them.
        costs: by arm, dearest change first.
        only_first: arms that only the first set has complete trials of.
        only_second: arms that only the second set has complete trials of.
    """

    study: str
    profile: str
    settings: Sequence[tuple[str, str, str]]
    pairs: int
    same_trial: int
    identical: int
    irreproducible: int
    claims: Sequence[ClaimChange]
    metrics: Sequence[MetricChange]
    costs: Sequence[CostChange]
    only_first: Sequence[str]
    only_second: Sequence[str]


def compare_profiles(first: Side, second: Side) -> ProfileComparison:
    """Compare one profile of a study in two sets of results, paired by arm and seed.

    Under one seed an arm meets the same split, order and initial weights in both sets, so that a
    pair differs only by what differs between machines, versions or settings. Differences are
    tested with a paired t test, corrected for all tests of their kind (Holm).
    """
    execution = first.evidence.execution
    frames = [_complete(side.evidence) for side in (first, second)]
    both = frames[0].merge(frames[1], on=_KEYS, suffixes=(".1", ".2"))
    metrics = [
        name for name in map(str, frames[0])
        if name.startswith(_COMPARED) and name in frames[1] and not name.startswith(TIMED)
    ]  # fmt: skip
    equal = _equal(both, metrics)
    same = (both["trial_id.1"] == both["trial_id.2"]).to_numpy(dtype=bool)
    arms = [set(frame["arm"]) for frame in frames]
    return ProfileComparison(
        execution.study,
        execution.profile,
        _settings(first.evidence, second.evidence),
        len(both),
        int(same.sum()),
        int(equal.sum()),
        int((same & ~equal).sum()),
        _claims(first, second),
        _metrics(both, metrics),
        _costs(both),
        sorted(arms[0] - arms[1]),
        sorted(arms[1] - arms[0]),
    )


def _complete(evidence: Evidence) -> pd.DataFrame:
    rows = evidence.confirmation
    return rows[rows["state"] == "complete"].drop_duplicates(_KEYS)


def _equal(both: pd.DataFrame, metrics: Sequence[str]) -> NDArray[np.bool_]:
    """Tell for each pair whether all metrics are equal, absent ones counting as equal."""
    equal = np.ones(len(both), dtype=bool)
    for name in metrics:
        one, other = both[f"{name}.1"], both[f"{name}.2"]
        equal &= ((one == other) | (one.isna() & other.isna())).to_numpy(dtype=bool)
    return equal


def _settings(first: Evidence, second: Evidence) -> list[tuple[str, str, str]]:
    """List what differs in the plan, the environment of the study, and that of the trials."""

    def facts(evidence: Evidence) -> dict[str, str]:
        own: Mapping[str, Any] = evidence.execution.context.get("environment", {})
        found = {name: str(value) for name, value in own.items()}
        machine = {env.get("device_name", "") for env in evidence.environments}
        return {
            "hash of the plan": evidence.plan.hash,
            "trained on": ", ".join(sorted(map(str, machine))),
            **found,
        }

    one, other = facts(first), facts(second)
    names = list(dict.fromkeys([*one, *other]))
    return [
        (name, one.get(name, "–"), other.get(name, "–"))
        for name in names
        if one.get(name) != other.get(name)
    ]


def _claims(first: Side, second: Side) -> list[ClaimChange]:
    verdicts = [{v.id: v for v in side.verdicts} for side in (first, second)]
    ids = list(dict.fromkeys([*verdicts[0], *verdicts[1]]))
    differences = {id_: _effect_difference(id_, first, second) for id_ in ids}
    tested = [id_ for id_ in ids if differences[id_] is not None]
    corrected = dict(
        zip(
            tested,
            _corrected([found.p_value for found in differences.values() if found]),
            strict=True,
        )
    )
    return [
        ClaimChange(
            id_, verdicts[0].get(id_), verdicts[1].get(id_), differences[id_],
            corrected.get(id_),
        )
        for id_ in ids
    ]  # fmt: skip


def _effect_difference(id_: str, first: Side, second: Side) -> PairedT | None:
    """Compare the number per seed of a claim of one part over the seeds that both sets have."""
    claims = [
        next((c for c in side.evidence.plan.study.claims if c.id == id_), None)
        for side in (first, second)
    ]
    if claims[0] is None or claims[1] is None or claims[0].tests != claims[1].tests:
        return None
    if len(claims[0].tests) != 1:
        return None
    counts = [next((v.seeds for v in side.verdicts if v.id == id_), 0) for side in (first, second)]
    seeds = min(counts)
    if seeds < 2:
        return None
    try:
        one, other = (
            numbers_per_seed(claims[0].tests[0], side.evidence, seeds) for side in (first, second)
        )
    except MissingEvidence:
        return None
    return paired_t(other - one)


def _metrics(both: pd.DataFrame, metrics: Sequence[str]) -> list[MetricChange]:
    found = []
    for arm, mine in both.groupby("arm", sort=False):
        for name in metrics:
            pairs = mine[[f"{name}.1", f"{name}.2"]].dropna().to_numpy(dtype=float)
            if len(pairs) > 1:
                means = pairs.mean(axis=0)
                found.append((str(arm), name, means, paired_t(pairs[:, 1] - pairs[:, 0])))
    corrected = _corrected([difference.p_value for *_, difference in found])
    return [
        MetricChange(arm, name, float(means[0]), float(means[1]), difference, p)
        for (arm, name, means, difference), p in zip(found, corrected, strict=True)
    ]


def _corrected(p_values: Sequence[float]) -> list[float]:
    return [float(p) for p in holm(p_values)] if p_values else []


def _costs(both: pd.DataFrame) -> list[CostChange]:
    found = []
    names = ["cost.seconds.1", "cost.seconds.2"]
    if not set(names) <= set(both):
        return []
    for which in (".1", ".2"):  # the time of a trial that others were trained with is a share
        size = both.get(f"cost.pack_size{which}")
        both = both if size is None else both[size.isna() | (size <= 1)]
    for arm, mine in both.groupby("arm", sort=False):
        pairs = mine[names].dropna().to_numpy(dtype=float)
        pairs = pairs[(pairs > 0).all(axis=1)]
        if len(pairs) > 1:
            ratio = paired_t(np.log(pairs[:, 1] / pairs[:, 0]))
            low, middle, high = np.exp([ratio.low, ratio.mean, ratio.high])
            sums = pairs.sum(axis=0)
            found.append(
                CostChange(str(arm), float(sums[0]), float(sums[1]), middle, low, high, len(pairs))
            )
    return sorted(found, key=lambda change: -abs(np.log(change.ratio)))
