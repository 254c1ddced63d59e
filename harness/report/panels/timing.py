"""How long the arms' work takes, measured in blocks: times, machine and load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.evidence import Evidence
from harness.formatting import ABSENT, capitalized, listed, number, plural
from harness.integrity.timing import BlockLoad, disturbances, loads
from harness.report.blocks import Block, Cell, Facts, Fold, Items, Table, Text, mean_cell
from harness.report.panels.base import Panel

if TYPE_CHECKING:
    from harness.report.view import ProfileView

_COLUMNS = {
    "timing.step_seconds": ("Training step", 1e3, "ms"),
    "timing.example_seconds": ("The same per example", 1e6, "µs"),
    "timing.inference_seconds": ("Outputs for a batch", 1e3, "ms"),
    "timing.training_seconds": ("Whole training", 1.0, "s"),
    "timing.target_seconds": ("Steps to the target", 1.0, "s"),
}
_DERIVED = ("timing.example_seconds",)
_HOW = (
    "A block is a fresh process that builds all arms and times them in turn, in an order that is"
    " drawn anew for every repetition, while nothing else of the study runs. Its number for an arm"
    " is the median of its repetitions; arms are compared within a block."
)


class Timing(Panel):
    """How long the arms' work takes, measured in blocks."""

    name = "timing"
    title = "Timing"
    order = 75

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        evidence = report.evidence
        if evidence.plan.study.timing is None:
            return ()
        noted = list(disturbances(evidence))
        known = loads(evidence)
        return (
            Text(_HOW),
            Items(noted) if noted else None,
            report.part("the table of times", times, evidence),
            report.part("the facts of the blocks", lambda: Facts(facts(evidence))),
            Fold("Load around each block", [load_table(known)]) if known else None,
        )


def times(evidence: Evidence) -> Table | None:
    """Return the times of each arm: the mean over blocks, and the fastest and the slowest block."""
    timing, rows = evidence.plan.study.timing, evidence.timing
    assert timing is not None
    metrics = [name for name in timing.metrics if name in rows]
    if not metrics:
        return None
    columns, cells = ["Arm"], []
    for name in metrics:
        title, _, unit = _column(name, evidence)
        columns.append(f"{title}, {unit}" if unit else title)
        columns += [] if name in _DERIVED else ["Fastest to slowest block"]
    for arm in evidence.plan.timed_arms:
        mine, row = rows[rows["arm"] == arm.name], [Cell(arm.name)]
        for name in metrics:
            values = mine[name].dropna().to_numpy(dtype=float) * _column(name, evidence)[1]
            row.append(mean_cell(values, "no block measured it"))
            if name not in _DERIVED:
                row.append(_ends(values))
        cells.append(row)
    return Table(
        "Times, mean over blocks with 95 % t interval",
        columns,
        cells,
        "Claims on seconds rest on these numbers.",
        name="timing",
    )


def _column(name: str, evidence: Evidence) -> tuple[str, float, str]:
    """Return the title of a metric's column, a factor and the unit."""
    meaning = capitalized(evidence.plan.metric(name).meaning)
    return _COLUMNS.get(name, (meaning, 1.0, ""))


def _ends(values: NDArray[np.float64]) -> Cell:
    if not len(values):
        return Cell(ABSENT, True, "no block measured it")
    return Cell(f"{number(values.min(), 3)} to {number(values.max(), 3)}", True)


def facts(evidence: Evidence) -> list[tuple[str, str]]:
    """Say what was timed, how often, and on which machine."""
    timing, rows, study = evidence.plan.study.timing, evidence.timing, evidence.plan.study
    assert timing is not None
    devices = sorted(map(str, rows["device"].dropna().unique())) if "device" in rows else []
    names = {e.get("device_name") for e in evidence.environments if e.get("device") == "cpu"}
    processor = f" ({listed(sorted(map(str, names - {None})))})" if "CPU" in devices else ""
    found = [
        ("Timed", listed(timing.metrics)),
        ("Blocks", f"{rows['seed'].nunique()} of {timing.blocks}"),
        ("Device", (listed(devices) or "not known") + processor),
        ("Threads", f"{study.resources.cpus}, for every arm"),
    ]
    if not set(timing.measure) <= {"training", "target"}:
        warm = f"{timing.repetitions} in each block, after {timing.warm_up} that do not count"
        found.append(("Repetitions", warm))
    if timing.target is not None:
        looks = f"{timing.target.metric} of {timing.target.value:g}"
        found.append(("Target", f"{looks}, looked at every {timing.target.every} examples"))
    if "inference" in timing.measure:
        found.append(("Batch of inference", plural(timing.batch, "example")))
    known = loads(evidence)
    if known:
        found.append(("Cores of the machine", str(known[0].cores)))
    return found


def load_table(known: Sequence[BlockLoad]) -> Table:
    """Return how busy the machine was before and after each block."""
    rows = []
    for load in known:
        runnable = (
            [ABSENT, ABSENT] if load.runnable is None else map("{:.1f}".format, load.runnable)
        )
        cells = [f"{load.load[0]:.2f}", f"{load.load[1]:.2f}", *runnable]
        rows.append([Cell(str(load.block)), *(Cell(text, True) for text in cells)])
    most = np.max([max(load.load) for load in known])
    return Table(
        f"Load average and runnable threads of others; load at most {most:.1f}",
        ["Block", "Load before", "Load after", "Runnable before", "Runnable after"],
        rows,
        "The load average is of the last minute, the blocks before included.",
        name="timing-load",
    )
