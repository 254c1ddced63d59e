"""A study whose trials do nothing, run by the harness: what is left is the harness's own cost.

Run by `benchmarks.study_overhead` in a process of its own: `python -m benchmarks._null_study
--trials 512 --where conductor --folder F` prints one JSON object. Only what trains is replaced:
plan, search by Optuna, schedule, store, mirror, verdicts and report are those of every run.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.whole_study import study_text
from harness.cluster import DryRun, Event, Executor, Pack
from harness.run import workers
from harness.run.mirroring import MirrorObserver
from harness.run.observer import Closing, Observer, Opening
from harness.run.outcome import RunOptions
from harness.run.study_run import run_study
from harness.study import load_study
from harness.trial import Checked, Given, Record, State, Trial
from harness.workloads import Dataset


def nothing(trial: Trial, attempt: int = 1) -> Record:
    """Return the outcome of a trial that did nothing."""
    now = time.time()
    value = (int(trial.id[:6], 16) % 1000) / 1000
    point = {"epoch": 1, "train.loss": 1.0, "validation.loss": 1.0, "validation.accuracy": value}
    metrics = {"validation.accuracy": value, "test.accuracy": value}
    return Record(
        trial,
        State.COMPLETE,
        metrics=metrics,
        curve=(point,),
        cost={"seconds": 0.0},
        selected_epoch=1,
        environment={"device": "cpu"},
        attempt=attempt,
        started=now,
        ended=now,
    )


def answer(trial: Trial, pack: Pack) -> Checked | Record:
    """Return what comes of a trial of a pack: in a dry run, that nothing is wrong with it."""
    return Checked(trial.id, ()) if isinstance(pack, DryRun) else nothing(trial, pack.attempt)


class NullExecutor:
    """Returns the records of a pack at once."""

    slots = 2
    crowd = ""

    def __init__(self) -> None:
        self._ready: list[Event] = []

    def provide_products(self, key: Any, given: Given) -> None:
        """Need none."""

    def provide(self, dataset: Dataset) -> None:
        """Need no data."""

    def submit(self, pack: Pack) -> None:
        """Do nothing for each trial."""
        self._ready += [answer(trial, pack) for trial in pack.trials]

    def events(self, timeout: float) -> list[Event]:
        """Return all that was submitted."""
        del timeout
        events, self._ready = self._ready, []
        return events

    def release(self) -> None:
        """Have nothing to stop."""

    def close(self) -> None:
        """Have nothing to wait for."""


_: Executor = NullExecutor()  # whatever an executor has to offer, this one does


class NullWorker:
    """What `harness.cluster.ray_worker.Worker` is, without training."""

    def __init__(self, *settings: Any):
        del settings

    def ready(self) -> int:
        """Answer."""
        return 0

    def run(self, pack: Pack, *data: Any) -> Iterator[list[Checked | Record]]:
        """Do nothing for each trial, and say so one by one as training does."""
        del data
        for trial in pack.trials:
            yield [answer(trial, pack)]


class Watch(Observer):
    """Notes when the first trial was handed out, and when the last one was done."""

    opened_at = first = last = closed_at = 0.0

    def opened(self, opening: Opening) -> None:
        """Start."""
        self.opened_at = time.time()

    def started(self, assignment: Any) -> None:
        """Note the first."""
        self.first = self.first or time.time()

    def finished(self, record: Record, assignments: Any, reused: bool) -> None:
        """Note the last."""
        self.last = time.time()

    def closed(self, closing: Closing) -> None:
        """Note when the verdicts and the report were there."""
        self.closed_at = time.time()


def main() -> None:
    """Run the study and print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--where", choices=("conductor", "ray"), required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    file = options.folder / "whole.yaml"
    file.write_text(study_text(options.trials, epochs=1))
    if options.where == "conductor":
        patch.object(workers, "open_executor", lambda **_: NullExecutor()).start()
    else:
        from harness.cluster import ray_crew

        patch.object(ray_crew, "Worker", NullWorker).start()
    results = options.folder / "results"
    watch = Watch()
    mirror = MirrorObserver(None, results)
    begin = time.time()
    result = run_study(
        load_study(file), RunOptions(results, options.folder / "reports"), [watch, mirror]
    )
    ended = time.time()
    used = resource.getrusage(resource.RUSAGE_SELF)
    mirrored = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            {
                "trials": result.counts["complete"],
                "wall": ended - begin,
                "from_first": ended - watch.first,
                "trials_only": watch.last - watch.first,
                "conclude": watch.closed_at - watch.last,
                "mirror_after": ended - watch.closed_at,
                "conductor_cpu": used.ru_utime + used.ru_stime,
                "mirror_cpu": mirrored.ru_utime + mirrored.ru_stime,
            }
        )
    )


if __name__ == "__main__":
    main()
