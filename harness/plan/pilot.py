"""A pilot: trainings of the baseline in which one source of randomness is varied at a time.

Its trials have seeds of their own, which no search and no confirmation uses, so that they are never
evidence. Source of the design: Bouthillier et al., MLSys 2021.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.models import is_simple
from harness.plan.plan import FIXED, Plan, Winner
from harness.seeding import PILOT_SEEDS_START
from harness.stats.multiplicity import end_level
from harness.stats.sources import Spread, Variances, spread, spread_of
from harness.trial import OWN_SEEDS, SOURCES, Trial

FOLDER = "pilots"
TOGETHER = "together"
"""Initial weights, order and split at once: what the seeds of a study vary."""
TUNING = "tuning"
TEST = "test examples"
FEWEST = 3
"""Numbers that a standard deviation is estimated from at least."""


def pilot_trials(plan: Plan, count: int, winner: Winner = FIXED) -> dict[str, list[Trial]]:
    """Return the trials of a pilot by what varies in them, `count` each.

    The first of each source is the same trial.

    Args:
        plan: of the study, whose baseline is trained.
        count: trials of each source.
        winner: the settings, where the baseline is searched.
    """
    first = pilot_trial(plan, winner)
    seeds = range(first.seed + 1, first.seed + count)
    found = {TOGETHER: [first, *(replace(first, seed=seed) for seed in seeds)]}
    for source in SOURCES:
        found[source] = [first, *(_varied(first, source, seed) for seed in seeds)]
    return found


def pilot_trial(plan: Plan, winner: Winner) -> Trial:
    """Return the baseline's trial with the settings that a search found, and the pilot's seed."""
    trial = plan.confirmation_trials(plan.baseline, [winner])[0].trial
    return replace(trial, seed=PILOT_SEEDS_START)


def _varied(trial: Trial, source: str, seed: int) -> Trial:
    return replace(trial, workload={**trial.workload, OWN_SEEDS: {source: seed}})


def refusal(plan: Plan) -> str:
    """Say why the sources of a baseline cannot be told apart; empty if they can."""
    workload = plan.baseline.workload
    if workload["training"]:
        return "a training of your own draws everything from one seed"
    if is_simple(workload["model"]):
        return "it is a simple model, which draws nothing but its split"
    if pilot_trial(plan, FIXED).sources:
        return "it uses products of a stage, which is trained once and not varied"
    return ""


@dataclass(frozen=True)
class Pilot:
    """What a pilot gave, as it is kept in a file.

    Attributes:
        study: its name.
        profile: of the study.
        arm: that was trained.
        first: id of the trial that all sources share; it follows settings, data and code.
        values: by source and metric, one number for each training that completed.
        trials: ids by source.
        examples: by metric, the variance of the mean over the test examples from one test set to
            another, its degrees of freedom, and how many examples there are.
        searches: how often the search was done; 0 if nothing is searched.
        parameters: what the first search found: the settings of all trials but those of the other
            searches.
        not_complete: trainings that diverged or failed.
    """

    study: str
    profile: str
    arm: str
    first: str
    values: Mapping[str, Mapping[str, Sequence[float]]]
    trials: Mapping[str, Sequence[str]]
    examples: Mapping[str, tuple[float, float, int]] = field(default_factory=dict)
    searches: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    not_complete: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON-able values."""
        return asdict(self)

    def write(self, results: Path) -> None:
        """Keep it in a results folder."""
        file = _file(results, self.study, self.profile)
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".part")
        fresh.write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")
        fresh.replace(file)

    def belongs_to(self, plan: Plan) -> bool:
        """Whether the plan would train the same trial today: its settings, data and code."""
        if plan.baseline.name != self.arm:
            return False
        winner = Winner(0, self.parameters) if self.parameters else FIXED
        return pilot_trial(plan, winner).id == self.first

    def spreads(self, metric: str) -> dict[str, Spread]:
        """Return the standard deviation that each source gives a metric, with 95 % intervals."""
        found = {
            source: spread(values[metric])
            for source, values in self.values.items()
            if len(values.get(metric, ())) >= FEWEST
        }
        if metric in self.examples:
            variance, degrees, _ = self.examples[metric]
            found[TEST] = spread_of(variance, degrees)
        return found

    def variances(self, metric: str) -> Variances | None:
        """Return the variances of a metric; None where the pilot does not know it."""
        found = self.spreads(metric)
        if TOGETHER not in found:
            return None
        parts = {name: one.deviation**2 for name, one in found.items()}
        examples = self.examples[metric][2] if metric in self.examples else 0
        return Variances(parts[TOGETHER], parts.get(TUNING, 0.0), parts.get(TEST, 0.0), examples)


def read_pilot(results: Path, study: str, profile: str) -> Pilot | None:
    """Return the pilot of a study and profile; None where there is none that can be read."""
    try:
        fields: dict[str, Any] = json.loads(_file(results, study, profile).read_text("utf-8"))
        return Pilot(**fields)
    except (OSError, ValueError, TypeError):
        return None


def _file(results: Path, study: str, profile: str) -> Path:
    return results / FOLDER / f"{study}.{profile}.json"


def metric_of_claims(plan: Plan, pilot: Pilot) -> str | None:
    """Return the metric that most claims are about, of those that a pilot knows."""
    asked = [test.metric for claim in plan.study.claims for test in claim.tests]
    known = [name for name in asked if pilot.variances(name) is not None]
    if known:
        return max(dict.fromkeys(known), key=known.count)
    return next((name for name in pilot.values.get(TOGETHER, {}) if pilot.variances(name)), None)


def end_of(plan: Plan) -> float:
    """Return the chance that one end of the interval of a claim of one side may be wrong."""
    return end_level(plan.study.alpha, max(len(plan.study.claims), 1))
