"""A whole study, search and logging included: `harness run` against Ray Tune.

Run alone: `python -m benchmarks.run --only study [--quick]`.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks._processes import load_average, python
from benchmarks.measure import Row

STUDY = """\
study: whole
question: How long does a whole study take?
workload:
  data: digits
  model: {{name: mlp, depth: 2, width: 64, activation: relu}}
  optimizer: {{name: adam, lr: 1.0e-3}}
  epochs: {epochs}
  batch_size: 64
factors:
  activation: {{path: model.activation, levels: [relu, leaky_relu, gelu, tanh]}}
  depth: {{path: model.depth, levels: [2, 4]}}
simple_baseline: none
search:
  space: {{optimizer.lr: {{log: [1.0e-4, 3.0e-2]}}}}
  candidates: {candidates}
seeds: {seeds}
claims:
  - id: relu-beats-tanh
    says: ReLU beats tanh
    metric: test.accuracy
    contrast: {{activation: [relu, tanh]}}
    greater_by: 0
"""
ARMS = 8
LEAST = ARMS * 8  # trials: five seeds are the fewest that a claim may have
WORKS = {2: 1, 12: 2, 24: 1}  # epochs, and how often all three are run with so many
HARNESS, HANDBOOK, ENGINE = "harness", "Ray Tune, handbook's loop", "Ray Tune, our engine's loop"


def divided(trials: int) -> tuple[int, int]:
    """Divide the trials of an arm into candidates and confirmation seeds."""
    candidates = trials // ARMS * 3 // 8
    return candidates, trials // ARMS - candidates


def study_text(trials: int, epochs: int) -> str:
    """Return a study of so many trials (a multiple of the arms, at least `LEAST`)."""
    candidates, seeds = divided(trials)
    return STUDY.format(epochs=epochs, candidates=candidates, seeds=seeds)


@dataclass(frozen=True)
class Took:
    """Seconds of a whole process, and of the part after its first trial began to train."""

    wall: float
    trained: float


def rows(quick: bool) -> list[Row]:
    """Run the three in turn and compare them, at several amounts of training."""
    trials, works = LEAST, {2: 1} if quick else WORKS
    ways: dict[str, Callable[[int], Took]] = {
        HARNESS: lambda epochs: ours(trials, epochs),
        HANDBOOK: lambda epochs: ray_tune("handbook", trials, epochs),
        ENGINE: lambda epochs: ray_tune("engine", trials, epochs),
    }
    for way in ways.values():  # the first of each reads files that the others find in memory
        way(1)
    times: dict[int, dict[str, list[Took]]] = {}
    for epochs, repeats in works.items():
        times[epochs] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, way in ways.items():
                times[epochs][name].append(way(epochs))
    return [_row(times, HANDBOOK, "≥ 8", trials), _row(times, ENGINE, "≥ 2", trials)]


def _row(
    times: Mapping[int, Mapping[str, Sequence[Took]]], other: str, target: str, trials: int
) -> Row:
    candidates, seeds = divided(trials)
    ratios, said = [], []
    for epochs, took in times.items():
        pairs = list(zip(took[other], took[HARNESS], strict=True))
        ratios.append(f"{median(theirs.wall / ours.wall for theirs, ours in pairs):.1f}")
        trained = median(theirs.trained / ours.trained for theirs, ours in pairs)
        wall = {name: median(one.wall for one in took[name]) for name in (HARNESS, other)}
        said.append(
            f"{epochs} epochs: {wall[HARNESS]:.1f} s against {wall[other]:.1f} s, from the first "
            f"trial's start on {trained:.1f} times as long (median of {len(pairs)})"
        )
    work = " / ".join(str(epochs) for epochs in times)
    return Row(
        f"a whole study of {trials} trials on digits, {work} epochs: start, search, training, "
        "store, MLflow",
        f"{other}, OptunaSearch, MLflow callback, reused actors",
        " / ".join(ratios),
        target,
        f"whole processes; {'; '.join(said)}. Ours: {ARMS} arms of {candidates} Optuna candidates "
        f"and {seeds} confirmation seeds, judged and reported; theirs: {trials} Optuna samples "
        "over the same arms in one Tuner, no report. An epoch is 1,078 images in batches of 64; "
        f"2 workers of 1 core, metrics of every epoch to SQLite; {load_average()}",
    )


def ours(trials: int, epochs: int) -> Took:
    """Run the study as a user does."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "whole.yaml"
        file.write_text(study_text(trials, epochs))
        results = Path(folder) / "results"
        ran = python(
            *("-m", "harness", "run", str(file), "--json"),
            *("--results", str(results), "--out", str(Path(folder) / "reports")),
        )
        complete = json.loads(ran.output)["trials"]["complete"]
        if complete != trials:
            raise RuntimeError(f"{complete} of {trials} trials completed")
        connection = sqlite3.connect(results / "harness.db")
        found = connection.execute("SELECT min(json_extract(record, '$.started')) FROM records")
        first = float(found.fetchone()[0])
        connection.close()
        mirrored = sqlite3.connect(results / "mlflow.db")
        (count,) = mirrored.execute(
            "SELECT count(*) FROM runs JOIN tags USING (run_uuid)"
            " WHERE status = 'FINISHED' AND key = 'role' AND value = 'trial'"
        ).fetchone()
        mirrored.close()
        if count != trials:
            raise RuntimeError(f"MLflow has the runs of {count} trials of {trials}")
    return Took(ran.seconds, ran.ended - first)


def ray_tune(loop: str, trials: int, epochs: int) -> Took:
    """Run the study as Ray Tune does, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        ran = python(
            *("-m", "benchmarks.ray_tune_study", "--loop", loop, "--folder", folder),
            *("--trials", str(trials), "--epochs", str(epochs)),
        )
        said = json.loads(ran.output.splitlines()[-1])
        if said["trials"] != trials:
            raise RuntimeError(f"{said['trials']} of {trials} trials completed")
    return Took(ran.seconds, ran.ended - said["training"])
