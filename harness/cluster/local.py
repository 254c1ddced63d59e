"""The in-process executor: one trial after another, for tests and debugging."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from harness.cluster.executor import (
    DryRun,
    Event,
    Key,
    Pack,
    check_provided,
)
from harness.train import Checkpoints
from harness.trial import Given
from harness.workloads import Dataset


class LocalExecutor:
    """Runs packs in the conductor's own process, one at a time."""

    slots = 1
    crowd = ""

    def __init__(self, cpus: int = 1, checkpoints: Checkpoints | None = None):
        self.cpus = cpus
        self.checkpoints = checkpoints
        self._datasets: dict[str, Dataset] = {}
        self._given: dict[Key, Given] = {}
        self._waiting: deque[Pack] = deque()
        self._running: Iterator[Event] | None = None

    def provide(self, dataset: Dataset) -> None:
        """Keep a data set for the trials that carry its fingerprint."""
        self._datasets[dataset.fingerprint] = dataset

    def provide_products(self, key: Key, given: Given) -> None:
        """Keep products of a stage for the trials that use them."""
        self._given[key] = given

    def submit(self, pack: Pack) -> None:
        """Queue a pack.

        Raises:
            UnknownDataError: if its data set was not provided.
            UnknownProductsError: if products of stages that its trials use were not provided.
        """
        check_provided(pack, self._datasets, self._given)
        self._waiting.append(pack)

    def events(self, timeout: float) -> list[Event]:
        """Work until the next event; the timeout is not needed, since nothing happens elsewhere."""
        del timeout
        while self._running is not None or self._waiting:
            if self._running is None:
                self._running = self._start(self._waiting.popleft())
            for event in self._running:
                return [event]
            self._running = None
        return []

    def _start(self, pack: Pack) -> Iterator[Event]:
        from harness.train import Setting, train_in

        first = pack.trials[0]
        data = self._datasets[first.data_fingerprint].for_phase(first.phase)
        if isinstance(pack, DryRun):
            from harness.train.dry_run import dry_run

            return dry_run(pack.trials, data, Setting(self.cpus, given=pack.given))
        given = {role: self._given[key] for role, key in pack.needed.items()}
        setting = Setting(self.cpus, pack.attempt, given=given, checkpoints=self.checkpoints)
        return iter(train_in(setting, pack.trials, data))

    def release(self) -> None:
        """Forget what was queued."""
        self._waiting.clear()
        self._running = None

    def close(self) -> None:
        """Forget what was queued."""
        self.release()
