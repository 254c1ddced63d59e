"""A whole study, search and logging included: `harness run` against Ray Tune.

Run alone: `python -m benchmarks.whole_study [--quick]`.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
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
    """Run the three in turn and compare them."""
    trials, epochs, repeats = (64, 2, 1) if quick else (64, 12, 2)
    ways: dict[str, Callable[[], Took]] = {
        HARNESS: lambda: ours(trials, epochs),
        HANDBOOK: lambda: ray_tune("handbook", trials, epochs),
        ENGINE: lambda: ray_tune("engine", trials, epochs),
    }
    times: dict[str, list[Took]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            times[name].append(way())
    return [
        _row(times, HANDBOOK, "≥ 8", trials, epochs),
        _row(times, ENGINE, "≥ 2", trials, epochs),
    ]


def _row(times: Mapping[str, list[Took]], other: str, target: str, trials: int, epochs: int) -> Row:
    pairs = list(zip(times[other], times[HARNESS], strict=True))
    whole = median(theirs.wall / ours.wall for theirs, ours in pairs)
    trained = median(theirs.trained / ours.trained for theirs, ours in pairs)
    wall = {name: median(took.wall for took in times[name]) for name in (HARNESS, other)}
    after = {name: median(took.trained for took in times[name]) for name in (HARNESS, other)}
    candidates, seeds = divided(trials)
    return Row(
        f"a whole study of {trials} trials on digits: start, search, training, store, MLflow",
        f"{other}, OptunaSearch, MLflow callback, reused actors",
        whole,
        target,
        f"whole processes: {wall[HARNESS]:.1f} s against {wall[other]:.1f} s; from the first "
        f"trial's start to the end of the process: {after[HARNESS]:.1f} s against "
        f"{after[other]:.1f} s ({trained:.2f} times). Ours: {ARMS} arms of {candidates} Optuna "
        f"candidates and {seeds} confirmation seeds, judged and reported; theirs: {trials} Optuna "
        f"samples over the same arms in one Tuner, no report. {epochs} epochs of 1,078 images, "
        f"batches of 64, 2 workers of 1 core, metrics of every epoch to SQLite; "
        f"{len(pairs)} repeats in turn; {load_average()}",
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
        count = mirrored.execute("SELECT count(*) FROM runs WHERE status = 'FINISHED'").fetchone()
        mirrored.close()
        if count[0] != trials + 1:
            raise RuntimeError(f"MLflow has {count[0]} runs of {trials + 1}")
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


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    for row in rows(parser.parse_args().quick):
        print(row)


if __name__ == "__main__":
    main()
