"""A short study as a newcomer runs it: how much of its time is not training, and what it holds.

Run alone: `python -m benchmarks.run --only short [--quick]`; MNIST is looked for in $HARNESS_DATA.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks._processes import ROOT, load_average, python
from benchmarks.measure import Row
from harness.workloads import data_root

TRIALS, IMAGES, EPOCHS, WORKERS = 16, 12_800, 2, 2
STUDY = """\
study: short
question: How long does a short study take?
workload:
  data: {{name: mnist, limit: {limit}, validation_fraction: 0.135, test_limit: 2000}}
  model: {{name: mlp, preset: handbook}}
  optimizer: {{name: adam, lr: 1.0e-3}}
  epochs: {epochs}
  batch_size: 64
search:
  space: {{optimizer.lr: {{log: [1.0e-4, 1.0e-2]}}}}
  candidates: 11
seeds: 5
simple_baseline: none
"""
ARMS = 1000  # of a plan of 20,000 arms: so many widths and twenty rates of dropout
PLAN = """\
study: plan
question: How long does a large plan take?
workload: {{data: digits, model: {{name: mlp, depth: 1, width: 8}}, optimizer: adam, epochs: 1}}
factors:
  width: {{path: model.width, levels: [{widths}]}}
  dropout: {{path: model.dropout, levels: [{rates}]}}
simple_baseline: none
seeds: 5
"""
NAMES = {"ray::Worker": "worker", "raylet": "raylet", "gcs_server": "Ray's head"}


@dataclass(frozen=True)
class Took:
    """Seconds of a whole process, of its parts, of training and of all that workers did; megabytes.

    Trials that are trained on one after another by two workers end one by one: where 11 candidates
    and then 5 seeds are shared by two, the other worker waits for the last of each.
    """

    wall: float
    before: float
    after: float
    trained: float
    worked: float
    held: dict[str, float]


def rows(quick: bool) -> list[Row]:
    """Run both in turn, and measure a plan of 20,000 arms."""
    root, repeats = data_root(), 1 if quick else 3
    pairs = [(ours(root, EPOCHS), ray_tune(root, EPOCHS)) for _ in range(repeats + 1)][1:]
    mine = [one for one, _ in pairs]
    wall, other = median(one.wall for one in mine), median(one.wall for _, one in pairs)
    beyond = median(one.wall - one.trained / WORKERS for one in mine)
    held = {name: max(one.held.get(name, 0.0) for one in mine) for name in ("conductor", "worker")}
    began, ended = median(one.before for one in mine), median(one.after for one in mine)
    trained, worked = median(one.trained for one in mine), median(one.worked for one in mine)
    said = f"{load_average()}"
    arms = ARMS if quick else 20 * ARMS
    planned, checked = (
        median(plan_of(arms, command) for _ in range(repeats)) for command in ("plan", "validate")
    )
    return [
        Row(
            f"a study of {TRIALS} trials, handbook's MNIST network (6.2), {EPOCHS} epochs of "
            f"{IMAGES:,} images",
            "Ray Tune, handbook's loop, OptunaSearch, MLflow callback, reused actors",
            f"{median(theirs.wall / ours.wall for ours, theirs in pairs):.1f}",
            "≥ 8",
            f"whole processes: {wall:.1f} s against {other:.1f} s; median of {repeats}; {said}",
        ),
        Row(
            f"the same: beyond training ÷ {WORKERS} workers", "–", "–", "≤ 6 s",
            f"{beyond:.1f} s: {began:.1f} s until the first trial starts, {ended:.1f} s after the "
            f"last one ended; of {worked:.1f} s of work, training is {trained:.1f} s, the rest "
            f"evaluation; {beyond - (worked - trained) / WORKERS:.1f} s beyond work ÷ {WORKERS}",
        ),
        Row(
            "the same: memory held at most", "–", "–", "conductor ≤ 250 MB",
            ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in held.items()),
        ),
        Row(
            f"plan and validate of {arms:,} arms", "–", "–", "≤ 3 s",
            f"{planned:.1f} s and {checked:.1f} s of processor time",
        ),
    ]  # fmt: skip


def ours(root: Path, epochs: int) -> Took:
    """Run the study as a user does, and watch the memory of its processes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "short.yaml").write_text(STUDY.format(limit=14_800, epochs=epochs))
        results = folder / "results"
        begin = time.time()
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", "run", str(folder / "short.yaml"), "--json",
             "--data-root", str(root), "--results", str(results), "--out", str(folder / "out")],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        held: dict[str, float] = defaultdict(float)
        watch = threading.Thread(target=_watch, args=[process.pid, held])
        watch.start()
        output, _ = process.communicate()
        ended = time.time()
        watch.join()
        complete = json.loads(output)["trials"]["complete"]
        if complete != TRIALS:
            raise RuntimeError(f"{complete} of {TRIALS} trials completed")
        connection = sqlite3.connect(results / "harness.db")
        found = connection.execute(
            "SELECT min(json_extract(record, '$.started')), max(json_extract(record, '$.ended')),"
            " sum(json_extract(record, '$.cost.seconds')),"
            " sum(json_extract(record, '$.cost.worker_seconds'))"
            " FROM records"
        ).fetchone()
        connection.close()
    first, last, trained, worked = (float(value) for value in found)
    return Took(ended - begin, first - begin, ended - last, trained, worked, held)


def ray_tune(root: Path, epochs: int) -> Took:
    """Run the same work by Ray Tune, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        ran = python(
            *("-m", "benchmarks._ray_tune_mnist", "--trials", str(TRIALS), "--root", str(root)),
            *("--images", str(IMAGES), "--epochs", str(epochs), "--folder", folder),
        )
    said = json.loads(ran.output.splitlines()[-1])
    if said["trials"] != TRIALS:
        raise RuntimeError(f"{said['trials']} of {TRIALS} trials completed")
    return Took(ran.seconds, said["first"] - ran.began, ran.ended - said["last"],
                said["seconds"], said["seconds"], {})  # fmt: skip


def plan_of(arms: int, command: str = "plan") -> float:
    """Return the seconds of processor time that a command takes for a study of so many arms.

    It is planned where nothing has been trained yet: among records the trials are looked for.
    """
    rates = ", ".join(f"{index / 100:.2f}" for index in range(20))
    widths = ", ".join(str(8 + index) for index in range(arms // 20))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.yaml"
        file.write_text(PLAN.format(widths=widths, rates=rates))
        aside = ("--results", str(Path(folder) / "results")) if command == "plan" else ()
        return python("-m", "harness", command, str(file), *aside).cpu_seconds


def _watch(pid: int, held: dict[str, float]) -> None:
    """Note the most that each kind of process holds, until the first one is gone."""
    while psutil.pid_exists(pid):
        with suppress(psutil.Error):
            conductor = psutil.Process(pid)
            if conductor.status() == psutil.STATUS_ZOMBIE:
                return
            for process in [conductor, *conductor.children(recursive=True)]:
                with suppress(psutil.Error):
                    name = "conductor" if process.pid == pid else process.name()
                    kind = next((NAMES[n] for n in NAMES if name.startswith(n)), name)
                    held[kind] = max(held[kind], process.memory_info().rss / 1e6)
        time.sleep(0.2)
