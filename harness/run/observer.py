"""Who is told how a run goes: the terminal, the MLflow mirror, a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.judged import Verdict
from harness.plan import Assignment, Plan
from harness.run.outcome import Costs, RunResult
from harness.track import ArmSummary
from harness.trial import Progress, Record


@dataclass(frozen=True)
class Opening:
    """A run that is about to start; `planned` counts trials by phase."""

    plan: Plan
    execution: int
    planned: Mapping[str, int]


@dataclass(frozen=True)
class Closing:
    """A run that has ended; `report` is the folder of the report, None where there is none."""

    status: str
    counts: Mapping[str, int]
    wall_seconds: float
    verdicts: Sequence[Verdict]
    report: Path | None
    costs: Costs = field(default_factory=Costs)
    arms: Sequence[ArmSummary] = ()
    leaderboards: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, status: str, result: RunResult) -> Closing:
        """Tell of a run that came to its end."""
        return cls(status, result.counts, result.wall_seconds, result.verdicts, result.report,
                   result.costs, result.arms, result.leaderboards)  # fmt: skip


class Observer:
    """Told of everything, after it is safe in the store. Override what matters to you."""

    def awaited(self) -> None:
        """There is something to do: `opened` follows once networks are checked, or `called_off`."""

    def called_off(self) -> None:
        """What was awaited could not begin, or ended in an error that is on its way."""

    def opened(self, opening: Opening) -> None:
        """The run starts."""

    def extended(self, planned: Mapping[str, int]) -> None:
        """There are more trials than were planned at first; `planned` counts all, by phase."""

    def room(self, slots: int) -> None:
        """So many trials, or packs of them, run at once from now on."""

    def started(self, assignment: Assignment) -> None:
        """A trial was handed to the executor."""

    def progressed(self, progress: Progress) -> None:
        """A running trial has finished epochs."""

    def finished(self, record: Record, assignments: Sequence[Assignment], reused: bool) -> None:
        """A trial has a record, made now or found."""

    def lost(self, assignment: Assignment, cause: str) -> None:
        """An attempt ended without a record; the trial is tried again or recorded as failed."""

    def noticed(self, text: str) -> None:
        """There is something to know while trials wait."""

    def settle(self) -> None:
        """A timing block comes, which nothing may disturb: do what is left to do now."""

    def judged(self, closing: Closing) -> None:
        """The claims were judged; nothing is drawn yet, and `closed` follows."""

    def closed(self, closing: Closing) -> None:
        """The run has ended."""

    def modelled(self, text: str) -> None:
        """After the end: the network of an arm's winner was logged, or could not be."""

    def lacks(self, study: str, execution: int, trial_ids: Sequence[str]) -> bool:
        """Whether anything of a finished execution never arrived here, so that it is to be told."""
        del study, execution, trial_ids
        return False

    def unchanged(self, opening: Opening, closing: Closing) -> None:
        """Nothing was to be done: all that is told of a run of which nothing has changed."""
