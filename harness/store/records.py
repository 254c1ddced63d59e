"""What the store gives and what may go wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
