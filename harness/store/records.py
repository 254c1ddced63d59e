"""What the store gives and what may go wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.trial import Phase, Record

if TYPE_CHECKING:
    from harness.plan import Assignment


class StoreError(Exception):
    """The results folder or its database cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Execution:
    """One run of a study: what was declared, and how it went."""

    id: int
    study: str
    profile: str
    plan_hash: str
    declaration: Mapping[str, Any]
    context: Mapping[str, Any]
    started: float
    ended: float | None
    status: str
    wall_seconds: float | None


@dataclass(frozen=True)
class AssignedRecord:
    """What a trial was for in one execution, and its record (None while it is missing)."""

    arm: str
    phase: Phase
    candidate: int | None
    parameters: Mapping[str, Any]
    seed: int
    reused: bool
    trial_id: str
    record: Record | None = None

    @classmethod
    def of(cls, item: Assignment, *, reused: bool, record: Record | None = None) -> AssignedRecord:
        """Note what a planned trial is for."""
        trial = item.trial
        return cls(item.arm, item.phase, item.candidate, item.parameters, trial.seed, reused,
                   trial.id, record)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """An earlier execution that used some of the same confirmation trials.

    Attributes:
        study: and `profile`, under which it ran.
        at: when it began, in seconds since 1970.
        declaration: the study as it was declared then.
        trials: the confirmation trials that both have.
        arms: the arms of that execution that these were trials of.
        judged: whether it came to verdicts; one that was interrupted did not.
        profiles: the looks that each profile of the study declared then; empty if not known.
    """

    study: str
    profile: str
    at: float
    declaration: Mapping[str, Any]
    trials: Set[str]
    arms: Set[str]
    judged: bool = True
    profiles: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @classmethod
    def at_execution(cls, execution: Execution, trials: Set[str], arms: Set[str]) -> Look:
        """Return the look that an execution was at these trials and arms of it."""
        e = execution
        judged = e.status in ("finished", "failed")
        profiles = e.context.get("profiles", {})
        return cls(e.study, e.profile, e.started, e.declaration, trials, arms, judged, profiles)
