"""What runs inside a Ray worker process: a warm trainer that streams its events back.

Nothing here imports Ray; the executor turns `Worker` into an actor.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING

from harness.cluster.executor import DryRun, Pack
from harness.lazy import quick_imports
from harness.own.imports import Luggage
from harness.train import Checkpoints
from harness.trial import Checked, Given, Progress, Record
from harness.workloads import Examples, TrialData

if TYPE_CHECKING:
    from harness.train.data_parallel import Ranks


class Worker:
    """Imports PyTorch once, then trains one pack after another."""

    def __init__(
        self,
        threads: int,
        interval: float,
        checkpoints: Checkpoints | None = None,
        ranks: Ranks | None = None,
        luggage: Luggage | None = None,
    ):
        if threading.current_thread() is threading.main_thread():
            # Ctrl-C in a terminal is the conductor's to handle; it stops the workers itself.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if luggage is not None:
            luggage.unpack(_folder)
        with quick_imports():
            from harness.train import Setting, train_in

        self._train = train_in
        self._setting = Setting(
            threads, checkpoints=checkpoints, ranks=ranks, replaceable=ranks is None
        )
        self._interval = interval
        self._open_data: dict[str, TrialData] = {}

    def run(
        self,
        pack: Pack,
        open_data: TrialData,
        test: Examples | None = None,
        *products: Given,
    ) -> Iterator[Sequence[Progress | Record | Checked]]:
        """Train a pack and yield batches of events.

        The arrays are read-only views of the node's object store. The open part of a data set is
        kept, so that it stays the same object for all trials; the locked test split is not: only
        while a confirmation pack runs does this process hold a reference to it. Nor are the
        products of stages that a pack uses. A pack ends early where own code left something that
        cannot be put back: its last record says so.
        """
        fingerprint = pack.trials[0].data_fingerprint
        data = self._open_data.setdefault(fingerprint, open_data)
        if isinstance(pack, DryRun):
            from harness.train.dry_run import dry_run

            for checked in dry_run(pack.trials, data, replace(self._setting, given=pack.given)):
                yield [checked]
            return
        if test is not None:
            data = replace(data, test=test)
        given = dict(zip(pack.needed, products, strict=True))
        setting = replace(self._setting, attempt=pack.attempt, given=given)
        yield from batches(self._train(setting, pack.trials, data), self._interval)


def _folder() -> str:
    """Make a folder for what came along; those of workers that are gone are cleared away."""
    from harness.cluster.head import clear_abandoned, temporary_folder

    clear_abandoned()
    folder, lock = temporary_folder()
    _locks.append(lock)
    return str(folder)


_locks: list[IO[str]] = []
"""Held for as long as this process lives."""


def batches(
    events: Iterable[Progress | Record], interval: float
) -> Iterator[list[Progress | Record]]:
    """Group events so that progress costs at most about one message per interval (seconds).

    The first progress and every record leave at once; a record takes the progress before it along.
    Points of one trial are merged into one Progress. Trials that are trained as one program report
    in turn after each epoch: then the message waits for the last of them, because after it nothing
    is said for as long as an epoch takes. (Some may rest while others start again: three points of
    one trial do not wait for a trial that does not report.)
    """
    held: dict[str, Progress] = {}
    running: dict[str, None] = {}
    sent = -float("inf")
    for event in events:
        id_ = event.trial_id
        if isinstance(event, Progress):
            running.setdefault(id_)
            before = held[id_].points if id_ in held else ()
            held[id_] = Progress(id_, before + event.points)
            due = id_ == next(reversed(running)) or len(before) >= 2
            if not due or time.monotonic() - sent < interval:
                continue
            yield [*held.values()]
        else:
            running.pop(id_, None)
            yield [*held.values(), event]
        held.clear()
        sent = time.monotonic()
    if held:
        yield [*held.values()]
