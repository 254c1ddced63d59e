"""A study on many simulated workers: one JSON object on what it took.

Run by `benchmarks.scale` in a process of its own. A hundred workers or so sit in one process and
sleep instead of training; each is hired, fed, heard and mirrored as any other, with a foreman on
each node or without.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import psutil
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from benchmarks._null_study import Watch, answer
from harness.cluster import Pack, ray_executor, ray_foremen
from harness.cluster.ray_crew import Crew
from harness.cluster.ray_foreman import Foreman
from harness.cluster.ray_killed import place_of
from harness.cluster.ray_slot import Slot
from harness.run.mirroring import MirrorObserver
from harness.run.outcome import RunOptions
from harness.run.study_run import run_study
from harness.study import load_study
from harness.trial import Checked, Record

STUDY = """\
study: crowd
question: How many workers can one conductor feed?
workload:
  data: digits
  model: {{name: mlp, depth: 1, width: 8}}
  optimizer: adam
  epochs: 1
factors: {{width: {{path: model.width, levels: [{levels}]}}}}
simple_baseline: none
seeds: {seeds}
"""
SEEDS = 100
SEATS = 128  # in one process


class Hall:
    """A process in which many simulated workers sit."""

    def __init__(self, seconds: float):
        self._seconds = seconds

    def run(self, seat: str, pack: Pack, *data: Any) -> Iterator[list[Checked | Record]]:
        """Sleep for each trial, and say where and when that was.

        Half as long as the mean to one and a half times, so that they do not end all at once.
        """
        del data
        for trial in pack.trials:
            begin = time.time()
            said = answer(trial, pack)
            if isinstance(said, Record):
                time.sleep(self._seconds * (0.5 + int(trial.id[:6], 16) / 16**6))
                there = {**said.environment, "seat": seat}
                said = replace(said, environment=there, started=begin, ended=time.time())
            yield [said]


class Seat:
    """Stands where the actor of a worker does."""

    def __init__(self, hall: Any, name: str):
        self._hall, self._name = hall, name

    @property
    def run(self) -> Any:
        """What has `remote`, as the method of an actor."""
        return self

    def remote(self, pack: Pack, *data: Any) -> Any:
        """Have a pack done in the hall."""
        return self._hall.run.remote(self._name, pack, *data)


class HallCrew(Crew):
    """Its workers sit in halls."""

    def _hire(self) -> Slot:
        hired = getattr(self, "_hired", 0)
        self._hired = hired + 1
        if hired % SEATS == 0:
            there: Any = {}
            if self._node is not None:
                strategy = NodeAffinitySchedulingStrategy(self._node, soft=False)
                there = {"scheduling_strategy": strategy}
            remote: Any = ray.remote(Hall)
            self._hall = remote.options(num_cpus=0, max_concurrency=SEATS + 2, **there).remote(
                float(os.environ["CROWD_SECONDS"])
            )
        seat: Any = Seat(self._hall, f"{self._node}-{hired}")
        return Slot(seat, self._hall.__ray_call__.remote(place_of), since=time.monotonic())


class HallForeman(Foreman):
    """The foreman of such a crew."""

    crew = HallCrew


class Crowd(Watch):
    """Notes where and when each trial ran, and what the conductor had used by then."""

    def __init__(self) -> None:
        self.ran: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.marks: list[tuple[float, float, float]] = []

    def finished(self, record: Record, assignments: Any, reused: bool) -> None:
        """Note a trial."""
        super().finished(record, assignments, reused)
        self.ran[record.environment["seat"]].append((record.started, record.ended))
        memory = psutil.Process().memory_info().rss / 1e6
        self.marks.append((time.time(), time.process_time(), memory))


def main() -> None:
    """Run the study and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--foremen", action="store_true")
    parser.add_argument("--address", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    os.environ["HARNESS_FOREMEN_FROM"] = "1" if options.foremen else "1000000"
    levels = ", ".join(str(8 + index) for index in range(options.trials // SEEDS))
    file = options.folder / "crowd.yaml"
    file.write_text(STUDY.format(levels=levels, seeds=SEEDS))
    patch.object(ray_executor, "Crew", HallCrew).start()
    patch.object(ray_foremen, "Foreman", HallForeman).start()
    results, crowd = options.folder / "results", Crowd()
    begin = time.time()
    run_options = RunOptions(results, options.folder / "reports", address=options.address)
    result = run_study(load_study(file), run_options, [crowd, MirrorObserver(None, results)])
    waits = [after - end for ran in crowd.ran.values() for (_, end), (after, _) in pairwise(ran)]
    quarter = len(crowd.marks) // 4
    first, last = crowd.marks[quarter], crowd.marks[-quarter]  # while all workers are busy
    print(
        json.dumps(
            {
                "trials": result.counts["complete"],
                "workers": len(crowd.ran),
                "foremen": options.foremen,
                "rate": (len(crowd.marks) - 2 * quarter) / (last[0] - first[0]),
                "share": (last[1] - first[1]) / (last[0] - first[0]),
                "cpu": (last[1] - first[1]) / (len(crowd.marks) - 2 * quarter),
                "wait": [float(np.quantile(waits, q)) for q in (0.5, 0.99, 1.0)],
                "memory": [crowd.marks[0][2], last[2]],
                "most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
                "start": crowd.marks[0][0] - begin,
            }
        )
    )


if __name__ == "__main__":
    main()
