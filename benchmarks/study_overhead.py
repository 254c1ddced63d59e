"""What a trial costs that does nothing: plan, search, schedule, store and mirror.

Run alone: `python -m benchmarks.run --only overhead [--quick]`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks._processes import load_average, python
from benchmarks.measure import Row

Ending = dict[str, Any]


def rows(quick: bool) -> list[Row]:
    """Run studies of two sizes in turn: what grows with their trials is the cost of one."""
    few, many, tune_few, tune_many, repeats = (
        (64, 256, 8, 24, 1) if quick else (64, 1024, 32, 128, 3)
    )
    found: dict[str, list[tuple[Ending, Ending]]] = {"conductor": [], "ray": [], "tune": []}
    for _ in range(repeats):
        for where in ("conductor", "ray"):
            found[where].append((_ours(where, few), _ours(where, many)))
        found["tune"].append((_tune(tune_few), _tune(tune_many)))

    def slope(where: str, seconds: Callable[[Ending], float]) -> float:
        """Milliseconds for each more trial, the median of the repeats."""
        grown = [
            1e3 * (seconds(more) - seconds(less)) / float(more["trials"] - less["trials"])
            for less, more in found[where]
        ]
        return median(grown)

    def part(name: str) -> Callable[[Ending], float]:
        return lambda ending: float(ending[name])

    all_of_it, tune = slope("conductor", part("wall")), slope("tune", part("from_first"))
    on_ray = slope("ray", part("wall"))
    detail = (
        f"{all_of_it:.1f} ms against {tune:.0f} ms, wall-clock, everything done and mirrored; each "
        f"from the difference of studies of {few} and {many} (theirs {tune_few} and {tune_many}) "
        f"trials. Of ours: conductor with search and store "
        f"{slope('conductor', part('trials_only')):.2f} ms, verdicts and report "
        f"{slope('conductor', part('conclude')):.2f} ms, waiting for the mirror afterwards "
        f"{slope('conductor', part('mirror_after')):.1f} ms; processor time of the conductor "
        f"{slope('conductor', part('conductor_cpu')):.2f} ms, of the mirror "
        f"{slope('conductor', part('mirror_cpu')):.1f} ms. With trials that do nothing in Ray's "
        f"workers, in packs of up to 64: {on_ray:.1f} ms, of which until the last record "
        f"{slope('ray', part('trials_only')):.2f} ms. {repeats} repeats in turn; {load_average()}"
    )
    return [
        Row(
            "overhead of a trial that does nothing: plan, search, schedule, store, mirror",
            "Ray Tune, OptunaSearch, MLflow callback, reused actors",
            tune / all_of_it,
            "≤ 5 ms; ≥ 20 times less",
            detail,
        )
    ]


def _ours(where: str, trials: int) -> Ending:
    with tempfile.TemporaryDirectory() as folder:
        ran = python(
            *("-m", "benchmarks._null_study", "--where", where),
            *("--trials", str(trials), "--folder", folder),
        )
    said: Ending = json.loads(ran.output.splitlines()[-1])
    if said["trials"] != trials:
        raise RuntimeError(f"{said['trials']} of {trials} trials completed")
    return said


def _tune(trials: int) -> Ending:
    with tempfile.TemporaryDirectory() as folder:
        ran = python(
            *("-m", "benchmarks.ray_tune_study", "--loop", "nothing"),
            *("--trials", str(trials), "--folder", folder),
        )
    said: Ending = json.loads(ran.output.splitlines()[-1])
    return said | {"from_first": said["ended"] - said["training"]}
