"""What a run is asked, what comes of it, and what its trials cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.judged import Verdict
from harness.trial import COSTS, SECONDS, Record, cost_of

if TYPE_CHECKING:
    from harness.report import ProfileResult
    from harness.run.limits import Limits
    from harness.track import ArmSummary

ENOUGH = 5
"""Measured trials from which on they decide a forecast of energy and of GPU time."""


@dataclass(frozen=True)
class RunOptions:
    """Where to run and where to write; `live`: a page shows provisional effects meanwhile."""

    results: Path = Path("results")
    reports: Path = Path("reports")
    data: Path | None = None
    address: str | None = None
    in_process: bool = False
    retrain_damaged: bool = False
    limits: Limits | None = None
    live: bool = False


@dataclass(frozen=True)
class Fault:
    """A study, or one profile of it, that cannot be judged or shown, and why."""

    study: str
    profile: str
    says: str
    error: Exception | None = None

    def __str__(self) -> str:
        where = f"{self.study} ({self.profile})" if self.profile else self.study
        return f"{where}: {self.says}" if where else self.says


@dataclass(frozen=True)
class Costs:
    """Forecast and spent, of all trials of a run and of each arm's."""

    forecast: Mapping[str, float] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    by_arm: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, rounded to what is worth reading."""

        def rounded(costs: Mapping[str, float]) -> dict[str, float]:
            return {unit: round(value, 3) for unit, value in costs.items()}

        return {
            "forecast": rounded(self.forecast),
            "spent": rounded(self.spent),
            "by_arm": {arm: rounded(costs) for arm, costs in self.by_arm.items()},
        }


@dataclass(frozen=True)
class RunResult:
    """What came of one profile of a study.

    Attributes:
        study: the name of the study.
        profile: the name of the profile.
        verdicts: one for each claim.
        plan_hash: of what was declared.
        published: whether the records come from a published file, and were not made here.
        integrity: what was noted against the evidence as a whole, by check.
        left_out: what of the study could not be judged, drawn or written, and why.
        leaderboards: of a benchmark, as `harness benchmark --json` prints one; one each metric.
        counts: trials by what became of them in this run (complete, pruned, diverged, failed,
            reused); empty where nothing was run.
        wall_seconds: what the run took.
        report: the folder of the report, of a run; None if it could not be written.
        costs: of the trials of a run: what was forecast, what was spent. What is not known, because
            no earlier trial tells or because there is no sensor, is absent.
        stopped: which limit of time or cost ended the run before all trials had a record; empty if
            none did.
        arms: what each arm's confirmation trials say together, of a run whose evidence was judged.
    """

    study: str
    profile: str
    verdicts: Sequence[Verdict]
    plan_hash: str
    published: bool
    integrity: Mapping[str, list[str]]
    left_out: Sequence[str] = ()
    leaderboards: Sequence[Mapping[str, Any]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    wall_seconds: float = 0.0
    report: Path | None = None
    costs: Costs = field(default_factory=Costs)
    stopped: str = ""
    arms: Sequence[ArmSummary] = field(default=(), compare=False, repr=False)

    @classmethod
    def of(cls, judged: ProfileResult, left_out: Sequence[str] = ()) -> RunResult:
        """Keep of a profile that was judged what stands when its evidence is gone."""
        noted = {check.id: list(check.says) for check in judged.checks if check.outcome == "noted"}
        plan_hash, published = judged.evidence.execution.plan_hash, judged.provenance.published
        boards = [board.to_dict() for board in judged.leaderboards]
        return RunResult(
            judged.study, judged.profile, judged.verdicts, plan_hash, published, noted, left_out,
            boards,
        )  # fmt: skip

    def kept(self) -> dict[str, Any]:
        """Return as plain data what is kept beside the report, for a run that changes nothing."""
        names = (
            "study",
            "profile",
            "plan_hash",
            "published",
            "integrity",
            "left_out",
            "leaderboards",
        )
        kept: dict[str, Any] = {name: getattr(self, name) for name in names}
        return {**kept, "verdicts": [verdict.to_dict() for verdict in self.verdicts]}

    @classmethod
    def from_kept(cls, fields: Mapping[str, Any]) -> RunResult:
        """Rebuild a result from `kept`."""
        verdicts = [Verdict.from_dict(verdict) for verdict in fields["verdicts"]]
        return RunResult(**{**fields, "verdicts": verdicts})


# --- costs ----------------------------------------------------------------------------------------
def forecast(guess: float, measured: Sequence[tuple[Record, float]]) -> dict[str, float]:
    """Forecast costs from what trials cost before; what none has told is absent.

    Args:
        guess: size of all trials to come, in seconds of some machine.
        measured: records, each with such a guess for it.
    """
    found = {}
    for unit in COSTS:
        known = [(cost_of(r)[unit], g) for r, g in measured if unit in cost_of(r)]
        if len(known) >= (1 if unit == SECONDS else ENOUGH):
            found[unit] = guess * sum(cost for cost, _ in known) / sum(g for _, g in known)
    return found


class Ledger:
    """Adds up what trials cost; a cost that any of them lacks is absent from the sum."""

    def __init__(self) -> None:
        self._costs: dict[str, list[dict[str, float]]] = defaultdict(list)

    def add(self, arm: str, record: Record) -> None:
        """Note a trial that was run for an arm."""
        self._costs[arm].append(cost_of(record))

    def costs(self, forecast: Mapping[str, float]) -> Costs:
        """Return what was spent, beside a forecast."""
        spent = _sum(cost for costs in self._costs.values() for cost in costs)
        return Costs(forecast, spent, {arm: _sum(costs) for arm, costs in self._costs.items()})


def _sum(costs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found = list(costs)
    complete = [unit for unit in COSTS if found and all(unit in cost for cost in found)]
    return {unit: sum(cost[unit] for cost in found) for unit in complete}
