"""A finished study of any size: its records are made up, everything else is the harness's own."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.plan import Assignment, SearchSpace
from harness.run.prepare import prepare
from harness.run.schedule import Schedule
from harness.search import History, best
from harness.store import AssignedRecord, Store, open_store
from harness.study import LoadedStudy, load_study
from harness.trial import Phase, Record, State, Trial
from harness.workloads import data_root, load

EPOCHS = 30
STUDY = """\
study: synthetic
question: How does the cost of a finished study grow?
workload:
  data: digits
  model: {{name: mlp, depth: 2, width: 64, activation: relu}}
  optimizer: {{name: adam, lr: 1.0e-3}}
  epochs: {epochs}
  batch_size: 64
factors:
  width: {{path: model.width, levels: [{levels}]}}
  activation: {{path: model.activation, levels: [relu, tanh]}}
simple_baseline: none
search:
  space: {{optimizer.lr: {{log: [1.0e-4, 1.0e-1]}}}}
  candidates: {candidates}
seeds: {seeds}
probes: [gradient_norms, dead_units]
claims:
  - id: relu-beats-tanh
    says: ReLU beats tanh
    metric: test.accuracy
    contrast: {{activation: [relu, tanh]}}
    greater_by: 0.001
  - id: narrow-is-enough
    says: Eight units are enough
    metric: test.accuracy
    of: {{width: 8}}
    above: 0.85
"""


@dataclass(frozen=True)
class Size:
    """Arms, candidates and confirmation seeds; their product is the number of trials."""

    arms: int
    candidates: int
    seeds: int

    @property
    def trials(self) -> int:
        """Trials of both phases."""
        return self.arms * (self.candidates + self.seeds)


SIZES = (Size(2, 1, 5), Size(10, 4, 6), Size(20, 25, 25), Size(100, 50, 50))
"""12, 100, 1,000 and 10,000 trials."""


def write_study(size: Size, folder: Path) -> Path:
    """Write the study file of a size."""
    levels = ", ".join(str(8 * (index + 1)) for index in range(size.arms // 2))
    file = folder / "synthetic.yaml"
    file.write_text(
        STUDY.format(epochs=EPOCHS, levels=levels, candidates=size.candidates, seeds=size.seeds)
    )
    return file


def finish(file: Path, results: Path) -> int:
    """Fill a results folder with made-up records of every trial; return how many there are."""
    loaded = load_study(file)
    root = data_root(None)
    load(loaded.arms[0].workload["data"], root)
    plan = prepare(loaded, root)
    generator = np.random.default_rng(0)

    def ask(space: SearchSpace, history: History) -> list[dict[str, Any]]:
        wanted = min(space.round, space.candidates - len(history))
        draws = 10 ** generator.uniform(-4, -1, size=wanted)
        return [{"optimizer.lr": float(draw)} for draw in draws]

    store = open_store(results)
    try:
        execution = store.start_execution(
            plan.study.study, plan.profile, plan.hash, plan.declaration, _context(loaded, plan)
        )
        count = _walk(store, execution, Schedule(plan, store.searches, ask, best), generator)
        store.end_execution(execution, "finished", 1.0)
    finally:
        store.close()
    return count


def _context(loaded: LoadedStudy, plan: Any) -> dict[str, Any]:
    return {
        "overrides": dict(loaded.overrides),
        "fingerprints": dict(plan.fingerprints),
        "environment": {},
        "duplicates": {},
        "file": loaded.file,
    }


def _walk(store: Store, execution: int, schedule: Schedule, generator: np.random.Generator) -> int:
    count = 0
    ready = deque([schedule.start()])
    while ready:
        assignments = ready.popleft()
        records = [_record(item.trial, generator) for item in assignments]
        store.add_records(records)
        store.add_assignments(execution, map(_assigned, assignments))
        count += len(records)
        ready.extend(more for record in records if (more := schedule.completed(record)))
    return count


def _assigned(item: Assignment) -> AssignedRecord:
    trial = item.trial
    return AssignedRecord(
        item.arm, item.phase, item.candidate, item.parameters, trial.seed, False, trial.id, None
    )


def _record(trial: Trial, generator: np.random.Generator) -> Record:
    """Make up an outcome that has the size and the shape of a real one."""
    width = trial.workload["model"]["width"]
    quality = 0.97 - 0.5 / width + 0.005 * generator.normal()
    curve = tuple(_points(quality, generator))
    metrics = {k: v for k, v in curve[-1].items() if k != "epoch"} | {
        "train.accuracy": min(1.0, quality + 0.03)
    }
    details: dict[str, list[float]] = {}
    if trial.phase is Phase.CONFIRMATION:
        metrics |= {
            "test.loss": 0.1,
            "test.accuracy": quality + 0.005 * generator.normal(),
            "probe.gradient_ratio_start": float(generator.lognormal()),
            "probe.gradient_ratio_end": float(generator.lognormal()),
            "probe.dead_units": float(generator.uniform(0, 0.2)),
        }
        for when in ("start", "end"):
            details[f"probe.gradient_norms_{when}"] = generator.lognormal(size=3).tolist()
    now = time.time()
    return Record(
        trial,
        State.COMPLETE,
        metrics=metrics,
        curve=curve,
        details=details,
        cost={"seconds": 0.3, "steps": 690.0, "step_seconds": 4e-4, "parameters": 64.0 * width},
        selected_epoch=EPOCHS,
        environment={
            "device": "cpu",
            "device_name": "made up",
            "torch": "2.15.0",
            "python": "3.11",
            "system": "Linux",
            "threads": 1,
            "packing": "together",
        },
        started=now - 0.3,
        ended=now,
    )


def _points(quality: float, generator: np.random.Generator) -> Iterator[Mapping[str, float]]:
    noise = generator.normal(size=(EPOCHS, 3))
    for epoch in range(1, EPOCHS + 1):
        left = math.exp(-epoch / 6)
        first, second, third = (float(value) for value in noise[epoch - 1])
        yield {
            "epoch": epoch,
            "train.loss": 2.3 * left + 0.05 + 0.002 * abs(first),
            "validation.loss": 2.3 * left + 0.15 + 0.01 * abs(second),
            "validation.accuracy": quality * (1 - 0.9 * left) + 0.003 * third,
        }
