"""A study of trials that do nothing, or sleep, on a Ray cluster: one JSON object on what it took.

Run by `benchmarks.scale` in a process of its own. Only what trains is replaced; plan, search by
Optuna, schedule, Ray, store, mirror, verdicts and report are those of every run.
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

import psutil

from benchmarks._null_study import NullExecutor, NullWorker, Watch, answer
from benchmarks._synthetic import STUDY
from harness.cluster import DryRun, Pack
from harness.run import workers
from harness.run.mirroring import MirrorObserver
from harness.run.outcome import RunOptions
from harness.run.study_run import run_study
from harness.study import load_study
from harness.trial import Checked, Record

PARTS = 10


class SleepingWorker(NullWorker):
    """Its trials take a second each."""

    def run(self, pack: Pack, *data: Any) -> Iterator[list[Checked | Record]]:
        """Sleep for each trial, and say so one by one as training does."""
        del data
        for trial in pack.trials:
            time.sleep(0.0 if isinstance(pack, DryRun) else 1.0)
            yield [answer(trial, pack)]


class Growth(Watch):
    """Notes time, processor time and memory whenever a tenth of the trials is done."""

    def __init__(self, trials: int):
        self.trials = trials
        self.done = 0
        self.marks: list[dict[str, float]] = []

    def finished(self, record: Record, assignments: Any, reused: bool) -> None:
        """Note a mark at each tenth."""
        super().finished(record, assignments, reused)
        self.done += 1
        if self.done == 1 or self.done % max(1, self.trials // PARTS) == 0:
            memory = psutil.Process().memory_info().rss / 1e6
            used = time.process_time()
            self.marks.append(
                {"trials": self.done, "time": time.time(), "cpu": used, "memory": memory}
            )


def main() -> None:
    """Run the study and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", type=int, required=True)
    parser.add_argument("--half", type=int, required=True, help="candidates, and seeds, of an arm")
    parser.add_argument("--address", help="of a cluster; without it, trials never leave here")
    parser.add_argument("--sleep", action="store_true", help="a second in each trial")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    trials = 2 * options.arms * options.half
    levels = ", ".join(str(8 * (index + 1)) for index in range(options.arms // 2))
    file = options.folder / "scale.yaml"
    file.write_text(
        STUDY.format(epochs=1, levels=levels, candidates=options.half, seeds=options.half)
    )
    if options.address is None:
        patch.object(workers, "open_executor", lambda **_: NullExecutor()).start()
    else:
        from harness.cluster import ray_crew

        patch.object(ray_crew, "Worker", SleepingWorker if options.sleep else NullWorker).start()
    results = options.folder / "results"
    growth = Growth(trials)
    begin = time.time()
    run_options = RunOptions(results, options.folder / "reports", address=options.address)
    result = run_study(load_study(file), run_options, [growth, MirrorObserver(None, results)])
    ended = time.time()
    mirrored = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            {
                "trials": result.counts["complete"],
                "wall": ended - begin,
                "start": growth.first - begin,
                "running": growth.last - growth.first,
                "concluding": growth.closed_at - growth.last,
                "mirroring": ended - growth.closed_at,
                "cpu": time.process_time(),
                "mirror_cpu": mirrored.ru_utime + mirrored.ru_stime,
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
                "database": (results / "harness.db").stat().st_size / 1e6,
                "marks": growth.marks,
            }
        )
    )


if __name__ == "__main__":
    main()
