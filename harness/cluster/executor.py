"""What every executor offers: take trials, give back events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.trial import Progress, Record, Trial
from harness.workloads import Dataset


@dataclass(frozen=True)
class Pack:
    """Trials that one worker runs together; `attempt` counts from 1."""

    trials: tuple[Trial, ...]
    attempt: int = 1


@dataclass(frozen=True)
class Lost:
    """A pack whose worker went away before these trials had a record."""

    pack: Pack
    cause: str


Event = Progress | Record | Lost


class Executor(Protocol):
    """Runs packs. `slots` is how many it works on at once."""

    slots: int

    def provide(self, dataset: Dataset) -> None:
        """Make a data set available to the trials that carry its fingerprint."""

    def submit(self, pack: Pack) -> None:
        """Take a pack; its trials' events come from `events`."""

    def events(self, timeout: float) -> list[Event]:
        """Wait up to `timeout` seconds for something to happen and return what did.

        Every submitted trial gives any number of Progress and then one Record, or its pack gives
        one Lost that names the trials still without a record.
        """

    def describe(self) -> dict[str, str | int | float]:
        """Say what runs the trials, for the report's environment section."""

    def close(self) -> None:
        """Stop the workers; what was not recorded yet is forgotten."""
