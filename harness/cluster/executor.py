"""What every executor offers: take trials, give back events."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from harness.tasks import needed
from harness.train import Checkpoints
from harness.trial import Checked, Given, Progress, Record, Trial
from harness.workloads import Dataset


class ClusterError(Exception):
    """The machine room cannot run trials at all: no cluster answers, or its workers keep dying."""


class UnknownDataError(LookupError):
    """A trial names a data set that was never provided."""

    def __init__(self, fingerprint: str):
        super().__init__(f"no data set with the fingerprint '{fingerprint}' was provided")


class UnknownProductsError(LookupError):
    """A trial uses products of a stage that were never provided."""

    def __init__(self, trial_id: str):
        super().__init__(f"no products of the trial '{trial_id}' were provided")


Key = tuple[str, tuple[str, ...] | None]
"""The trial of a stage, and the products of it that are meant; None: all that it gave."""


@dataclass(frozen=True)
class Needs:
    """What a trial is given.

    Attributes:
        cpus: threads of each of its workers.
        gpus: devices of each worker; a fraction shares one.
        memory: bytes that each worker may fill; None for what there is.
        custom: amounts of a cluster's own resources, by name.
        labels: of the node, in Ray's language (`value`, `!value`, `in(a, b)`).
        workers: that train a trial together.
        strategy: whether each of them holds the whole network (ddp) or a share of it (fsdp).
        time_limit: seconds that an attempt may take; None for no limit.
        checkpoints: where trials are saved while they train; None for nowhere.
    """

    cpus: int = 1
    gpus: float = 0.0
    memory: int | None = None
    custom: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    strategy: str = "ddp"
    time_limit: float | None = None
    checkpoints: Checkpoints | None = None


@dataclass(frozen=True)
class Pack:
    """Trials that one worker runs together; `attempt` counts from 1.

    They share phase, data set and the stages whose products they use: a pack is what a worker
    gets data for, so a pack that mixed phases would hand the test split to a trial of the search.
    """

    trials: tuple[Trial, ...]
    attempt: int = 1

    def __post_init__(self) -> None:
        if (
            len({(t.phase, t.data_fingerprint, *sorted(t.sources.items())) for t in self.trials})
            != 1
        ):
            raise ValueError("a pack needs trials of one phase, one data set and the same stages")
        if len({trial.id for trial in self.trials}) != len(self.trials):
            raise ValueError("a pack cannot hold a trial twice")

    @property
    def needed(self) -> Mapping[str, Key]:
        """What these use of stages, by role."""
        return needed(self.trials[0].workload)


@dataclass(frozen=True)
class DryRun(Pack):
    """Trials whose networks are built and take one step, to find what cannot be trained.

    Nothing is recorded; each trial gives one Checked. The stages that they use need not have been
    trained: `given` says what they are, by role, and holds no products.
    """

    given: Mapping[str, Given] = field(default_factory=dict)

    @property
    def needed(self) -> Mapping[str, Key]:
        """Nothing: no products are needed."""
        return {}


class Loss(StrEnum):
    """Why a pack was lost, as far as it can be told; a retry policy may treat them differently."""

    WORKER = "worker crashed"
    NODE = "node lost"
    PREEMPTED = "node preempted"
    MEMORY = "out of memory"
    TIME = "time limit"
    EXCEPTION = "exception"
    ERROR = "error outside a trial"


@dataclass(frozen=True)
class Lost:
    """A pack whose worker went away: only the trials that had no record yet, and why."""

    pack: Pack
    cause: str
    kind: Loss = Loss.WORKER


@dataclass(frozen=True)
class Notice:
    """Something that a person should know while trials wait, such as what they wait for."""

    text: str


Event = Progress | Record | Checked | Lost | Notice


def check_provided(pack: Pack, data: Container[str], products: Container[Key]) -> None:
    """Make sure that an executor was given what the trials of a pack use.

    Args:
        pack: of trials with one data set.
        data: fingerprints of the data sets that were provided.
        products: keys of the products of stages that were provided.

    Raises:
        UnknownDataError: if the data set was not.
        UnknownProductsError: if products were not.
    """
    fingerprint = pack.trials[0].data_fingerprint
    if fingerprint not in data:
        raise UnknownDataError(fingerprint)
    for key in pack.needed.values():
        if key not in products:
            raise UnknownProductsError(key[0])


class Executor(Protocol):
    """Runs packs. `slots` is how many it works on at once; more may be submitted.

    The slots may become more or fewer while it runs, and are never fewer than one. `crowd` says
    where other runs use the same cores; it is empty where there are enough.
    """

    slots: int
    crowd: str

    def provide(self, dataset: Dataset) -> None:
        """Make a data set available to the trials that carry its fingerprint."""

    def provide_products(self, key: Key, given: Given) -> None:
        """Make products of a stage available to the trials that use them.

        Args:
            key: the stage's trial and the products, as `Pack.needed` has them.
            given: the same, with its arrays.
        """

    def submit(self, pack: Pack) -> None:
        """Take a pack; its trials' events come from `events`.

        Raises:
            UnknownDataError: if its data set was not provided.
            UnknownProductsError: if products of stages that its trials use were not provided.
        """

    def events(self, timeout: float) -> list[Event]:
        """Wait up to `timeout` seconds for something to happen and return what did.

        Every submitted trial gives any number of Progress and then one Record (in a DryRun one
        Checked), or its pack gives one Lost that names the trials still without. A Notice may come
        at any time. The list is empty when time is up, and at once when nothing is submitted.

        Raises:
            ClusterError: if no trial can be run any more.
        """

    def release(self) -> None:
        """Begin to stop the workers; what was not recorded yet is forgotten."""

    def close(self) -> None:
        """Return when the workers are gone."""
