"""What the conductor tells the mirror, and what the mirror answers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class ExecutionInfo:
    """One execution of one study in one profile: a parent run.

    `execution_id` is the conductor's name for it; `mirror` is unique on any server, so that equal
    numbers of two results folders are not taken for one. `owner` names the results folder (any
    text that stays the same for it): runs that its earlier executions left running are dead,
    because one folder has one conductor. Left empty, host name and path stand in.

    `primary_metric` is the one of results, `selected_by` that of searches, `goal` that of both
    (minimize, maximize, or None where nobody said); `arms` are their names,
    `factors` what is varied, `searched` the paths of all searches. `data` describes data sets by
    fingerprint.
    """

    study: str
    profile: str
    execution_id: str
    mirror: str = field(default_factory=lambda: uuid.uuid4().hex)
    question: str = ""
    plan_hash: str = ""
    owner: str = ""
    primary_metric: str = "test.accuracy"
    selected_by: str = "validation.accuracy"
    goal: str | None = "maximize"
    arms: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    started: float = 0.0
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialInfo:
    """What the plan says of a trial and its record does not: arm, levels, candidate."""

    arm: str
    levels: Mapping[str, Any] = field(default_factory=dict)
    candidate: int | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class MirrorStatus:
    """How far the mirror is.

    `sent` records have been written to MLflow by this execution, `present` ones were there
    already, `pending` ones wait for the next execution. `error` is the last trouble, without
    secrets; `done` says that this execution's parent run is closed as well.
    """

    sent: int = 0
    present: int = 0
    pending: int = 0
    error: str = ""
    done: bool = False

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MirrorStatus:
        """Rebuild a status from a message, ignoring what else the message says."""
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})
