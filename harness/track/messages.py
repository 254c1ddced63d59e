"""What the conductor tells the mirror's process, and what that answers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.judged import Verdict
from harness.trial import Record, Trial


@dataclass(frozen=True)
class Destination:
    """The tracking store to write to, and the folder of its artifacts unless a server has them."""

    tracking_uri: str
    artifact_root: Path | None


@dataclass(frozen=True)
class DataInfo:
    """A data set: its examples outside the test split, and the shape and type of one input."""

    examples: int
    shape: Sequence[int]
    dtype: str


@dataclass(frozen=True)
class ExecutionInfo:
    """One execution of one study in one profile: a parent run. It begins with this message.

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
    data: Mapping[str, DataInfo] = field(default_factory=dict)
    started: float = 0.0


@dataclass(frozen=True)
class TrialInfo:
    """What the plan says of a trial and its record does not: arm, levels, candidate."""

    arm: str
    levels: Mapping[str, Any] = field(default_factory=dict)
    candidate: int | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Started:
    """A trial was given to a worker; times in seconds since 1970."""

    trial: Trial
    info: TrialInfo
    time: float


@dataclass(frozen=True)
class Progressed:
    """A running trial finished epochs; `points` are the metrics of each."""

    trial_id: str
    points: Sequence[Mapping[str, float]]
    time: float


@dataclass(frozen=True)
class Finished:
    """A trial ended, now or in an earlier execution."""

    record: Record
    info: TrialInfo


@dataclass(frozen=True)
class ArmSummary:
    """What the confirmation trials of an arm say together.

    Attributes:
        arm: its name.
        levels: of the study's factors.
        metrics: means over the complete seeds, by name; empty where none is complete.
        interval: of the primary metric's mean, at 95 %; None where there is none.
        complete: seeds that are complete.
        seeds: how many there are, in words, with what became of the others.
        claims: the verdict of each claim that rests on the arm's trials, in words, by its id.
    """

    arm: str
    levels: Mapping[str, Any]
    metrics: Mapping[str, float]
    interval: tuple[float, float] | None
    complete: int
    seeds: str
    claims: Mapping[str, str]


@dataclass(frozen=True)
class Ending:
    """The execution is over; `report` is a folder or file to keep with it.

    `arms` are there where it came to its end: then MLflow gets a run for each, and for each claim.
    """

    status: str
    ended: float
    verdicts: Sequence[Verdict] = ()
    arms: Sequence[ArmSummary] = ()
    report: Path | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


Message = Destination | ExecutionInfo | Started | Progressed | Finished | Ending


@dataclass(frozen=True)
class MirrorStatus:
    """How far the mirror is.

    `sent` records have been written to MLflow by this execution, `present` ones were there
    already, `pending` ones wait for the next execution. `error` is the last trouble, without
    secrets; `done` says that this execution's parent run is closed as well. `slow_reason` says why
    a database is written by MLflow's client, one call after another; empty where it is not.
    """

    sent: int = 0
    present: int = 0
    pending: int = 0
    error: str = ""
    done: bool = False
    slow_reason: str = ""


@dataclass(frozen=True)
class Answer:
    """The status of an execution, by its `mirror`; without one, why the process ends."""

    mirror: str
    status: MirrorStatus
