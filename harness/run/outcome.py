"""What a run is asked, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.run.costs import Costs
from harness.trial import Verdict

if TYPE_CHECKING:
    from harness.report import ProfileResult


@dataclass(frozen=True)
class RunOptions:
    """Where to run and where to write."""

    results: Path = Path("results")
    reports: Path = Path("reports")
    data: Path | None = None
    address: str | None = None
    in_process: bool = False
    retrain_damaged: bool = False


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
class Outcome:
    """What came of one profile of a study.

    Attributes:
        verdicts: one for each claim.
        plan_hash: of what was declared.
        published: whether the records were published, and not made here.
        noted: what was noted against the evidence, by the name of the check.
        left_out: what of the study could not be judged, drawn or written, and why.
    """

    verdicts: Sequence[Verdict]
    plan_hash: str
    published: bool
    noted: Mapping[str, list[str]]
    left_out: Sequence[str] = ()

    @classmethod
    def of(cls, result: ProfileResult) -> Outcome:
        """Keep of a result what stands when its evidence is gone."""
        noted = {check.id: list(check.says) for check in result.checks if check.outcome == "noted"}
        plan_hash = result.evidence.execution.plan_hash
        return cls(result.verdicts, plan_hash, result.standing.published, noted)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Outcome:
        """Rebuild an outcome from `to_dict`."""
        verdicts = [Verdict(**verdict) for verdict in fields["verdicts"]]
        left_out = fields.get("left_out", ())
        return cls(verdicts, fields["plan_hash"], fields["published"], fields["noted"], left_out)


@dataclass(frozen=True)
class RunResult:
    """What came of a run. `counts` has complete, pruned, diverged, failed and reused.

    `report` is the folder of the report; None if it could not be written.
    """

    study: str
    profile: str
    counts: Mapping[str, int]
    wall_seconds: float
    verdicts: Sequence[Verdict]
    report: Path | None
    outcome: Outcome
    costs: Costs = field(default_factory=Costs)
