"""What `benchmarks.scale` measured, as docs/scale.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.scale import Measured

Run = Mapping[str, Any]
RATE = 67
"""Trials that end in a second, at the size that the plan is about."""


def page(found: Measured) -> str:
    """Return the page."""
    parts = [_head(found), _table(found), _growth(found), _crowd(found), _million(found)]
    return "\n".join(parts)


def _head(found: Measured) -> str:
    return f"""# Scale

Written by `make scale` (`python -m benchmarks.scale`) on {found.date}: {found.machine};
{found.load} at the end. The cluster is simulated: four Ray nodes beside the head, all on this
machine, whose {found.slots} workers share its cores with everything else. The trials do
nothing, or sleep: what is measured is what surrounds training. Both sides search with Optuna and
use reused actors. The harness also keeps durable records, mirrors every trial to MLflow, judges
claims and writes a report; Ray Tune here keeps its own experiment state and nothing else.
"""


def _table(found: Measured) -> str:
    idle, second, tune, tune_second = found.idle, found.second, found.tune, found.tune_second
    whole = tune["trials"] >= idle["trials"]
    tune_time = _spent(tune) if whole else _extrapolated(tune, idle["trials"])
    tune_shown = f"{tune_time:,.0f} s" + ("" if whole else " (extrapolated, see below)")
    per_tune = _spent(tune) / tune["trials"]
    ideal = second["trials"] / found.slots
    rows = [
        (
            f"{idle['trials']:,} idle trials, from the first to the last record",
            f"{idle['running']:,.0f} s",
            tune_shown,
        ),
        ("throughput", f"{idle['trials'] / idle['running']:,.0f} trials/s", f"{1 / per_tune:,.1f}"),
        (
            "processor time of the conductor (driver), per trial",
            f"{1e3 * _cpu(idle):.1f} ms",
            f"{1e3 * _cpu(tune):.0f} ms",
        ),
        ("its memory at the end", f"{_last(idle, 'memory'):,.0f} MB", _memory(tune)),
        (
            "verdicts and report; then waiting for MLflow",
            f"{idle['concluding']:.0f} s; {idle['mirroring']:.0f} s",
            "–",
        ),
        (
            "processor time of the mirror, per trial",
            f"{1e3 * idle['mirror_cpu'] / idle['trials']:.1f} ms",
            "–",
        ),
        (
            f"{second['trials']:,} trials of a second on {found.slots} workers: at best "
            f"{ideal:.0f} s",
            f"{second['running']:,.0f} s",
            _seconds_of(tune_second, second["trials"]),
        ),
    ]
    lines = [_lines(("what", "harness", "Ray Tune"), rows)]
    if not whole:
        lines += [
            "",
            f"Ray Tune had {tune['wall']:,.0f} s, in which it ended {tune['trials']:,} trials. Its "
            "time for all is **extrapolated** from the growth of its cost per trial, below.",
        ]
    return "\n".join(lines) + "\n"


def _growth(found: Measured) -> str:
    arms = found.search["trials"]
    lines = [
        "## Cost of a trial as their number grows",
        "",
        "Wall-clock and processor time of each trial between two marks, and the memory at the "
        "second.",
        "",
    ]
    for name, run in (("harness", found.idle), ("Ray Tune", found.tune)):
        lines.append(_lines((f"{name}: trials", "time", "processor", "memory"), _rows(run)) + "\n")
    lines += [
        f"One long search, where a cost that grows would show: {arms:,} trials in two arms, half "
        "of them candidates of TPE, without Ray. Milliseconds of processor time by tenths: "
        + ", ".join(f"{segment[2]:.1f}" for segment in _segments(found.search["marks"]))
        + ". TPE itself weighs all candidates so far each time it is asked.",
        "",
    ]
    return "\n".join(lines)


def _crowd(found: Measured) -> str:
    return f"""## Many workers

Simulated workers, a hundred or so in one process, sleep instead of training, each so long that
{RATE} trials end in a second; they are hired, fed, heard and mirrored as any other. From 64
workers on each node has a foreman ([Clusters](cluster.md#many-workers)); the lines without one
are the same run with one stream for each worker. A worker waits from the end of a trial to the
start of its next one.

{crowd_table(found.crowds)}
"""


def crowd_table(crowds: Sequence[Run]) -> str:
    """Return the table of what many simulated workers took."""
    head = (
        "workers", "foremen", "trials/s", "conductor: a core", "a trial",
        "a worker waits: median, 99 %, most", "memory: first, later",
    )  # fmt: skip
    rows = []
    for run in crowds:
        waits = ", ".join(f"{1e3 * wait:,.0f}" for wait in run["wait"])
        rows.append(
            (
                f"{run['workers']:,}",
                "yes" if run["foremen"] else "no",
                f"{run['rate']:.1f}",
                f"{100 * run['share']:.0f} %",
                f"{1e3 * run['cpu']:.1f} ms",
                f"{waits} ms",
                f"{run['memory'][0]:,.0f}, {run['memory'][1]:,.0f} MB",
            )
        )
    return _lines(head, rows)


def _million(found: Measured) -> str:
    return f"""## The same figures at a million trials on 1,000 GPUs

Trials that take a minute, four on each GPU: 4,000 slots, {RATE} trials that end in a second, 4.2
hours in all. Nobody has run this; [the plan on paper](scale-plan.md) says what would be changed.

{_lines(("what", "measured here", "at that size", "holds?"), _at_size(found.idle, found.slots))}
"""


def _at_size(idle: Run, slots: int) -> list[tuple[str, ...]]:
    """Return the figures of one trial, and of a million."""
    trials = idle["trials"]
    rate = trials / idle["running"]
    cpu, mirror = 1e3 * _cpu(idle), 1e3 * idle["mirror_cpu"] / trials
    memory = 1e3 * (_last(idle, "memory") - idle["marks"][0]["memory"]) / trials
    disk = 1e3 * idle["database"] / trials
    report = 1e3 * idle["concluding"] / trials
    return [
        (
            "conductor's processor time",
            f"{cpu:.1f} ms a trial",
            f"{cpu * RATE / 10:.0f} % of a core",
            "yes" if cpu * RATE < 700 else "no",
        ),
        (
            "conductor's throughput",
            f"{rate:,.0f} trials/s with {slots} workers",
            f"{RATE} wanted",
            "yes" if rate > 1.5 * RATE else "barely",
        ),
        ("conductor's memory", f"{memory:.1f} kB a trial", f"{memory:.1f} GB", "on a large node"),
        ("database", f"{disk:.1f} kB a trial", f"{disk:.1f} GB", "yes: one writer appends"),
        (
            "mirror",
            f"{mirror:.1f} ms a trial",
            f"{mirror * RATE / 10:.0f} % of a core; a server is asked {4 * RATE} times a second",
            "a database yes, one server no",
        ),
        (
            "verdicts and report",
            f"{report:.1f} ms a trial",
            f"{report * 1000 / 60:.0f} minutes, once",
            "slow",
        ),
        ("waiting for workers", "a stream from each node's foreman", "125 to 250 streams", "yes"),
        ("starting workers", f"{slots} actors", "4,000 actors, by 125 to 250 foremen", "slow"),
        ("data", "one copy a node", "125 to 250 copies, passed from node to node", "yes"),
    ]


def _lines(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cpu(run: Run) -> float:
    """Return seconds of processor time per trial between the first mark and the last."""
    first, last = run["marks"][0], run["marks"][-1]
    return float(last["cpu"] - first["cpu"]) / max(1.0, last["trials"] - first["trials"])


def _spent(run: Run) -> float:
    """Return seconds from the first trial's end to the last one's."""
    return float(run["marks"][-1]["time"] - run["marks"][0]["time"])


def _last(run: Run, name: str) -> float:
    return float(run["marks"][-1][name])


def _memory(run: Run) -> str:
    last = run["marks"][-1]
    return f"{last['memory']:,.0f} MB after {last['trials']:,}"


def _seconds_of(run: Run, trials: int) -> str:
    if run["trials"] >= trials:
        return f"{_spent(run):,.0f} s"
    return f"{run['trials']:,} of them in {_spent(run):,.0f} s"


Segment = tuple[int, float, float, float]
"""Trials at the end; milliseconds of wall-clock and processor time per trial; megabytes."""


def _segments(marks: Sequence[Mapping[str, float]]) -> list[Segment]:
    found = []
    for before, after in pairwise(marks):
        count = after["trials"] - before["trials"]
        wall, cpu = (1e3 * (after[name] - before[name]) / count for name in ("time", "cpu"))
        found.append((int(after["trials"]), wall, cpu, after["memory"]))
    return found


def _rows(run: Run) -> list[tuple[str, ...]]:
    return [
        (f"to {until:,}", f"{wall:.1f} ms", f"{cpu:.1f} ms", f"{memory:,.0f} MB")
        for until, wall, cpu, memory in _segments(run["marks"])
    ]


def _extrapolated(run: Run, trials: int) -> float:
    """Return the seconds that so many trials would take if the cost of one grows on as a line."""
    segments = _segments(run["marks"])
    ends = np.array([segment[0] for segment in segments], dtype=float)
    starts = np.array([run["marks"][0]["trials"], *ends[:-1]])
    costs = np.array([segment[1] for segment in segments]) / 1e3
    slope, level = np.polyfit((starts + ends) / 2, costs, 1) if len(ends) > 2 else (0.0, costs[-1])
    return float(level * trials + max(slope, 0.0) * trials**2 / 2)
