"""10,000 trials that do nothing and 1,000 that take a second, on a cluster of several nodes.

Beside Ray Tune's own on the same cluster in the same run. Writes docs/scale.md; run alone:
`python -m benchmarks.scale [--quick]`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._processes import ROOT, load_average, python
from benchmarks.measure import Row, machine
from benchmarks.scale_page import RATE, crowd_table, page

NODES, CPUS = 4, 2
SLOTS = NODES * CPUS
TOKEN = os.urandom(32).hex()  # Ray reads it once, when it is first used


@dataclass(frozen=True)
class Sizes:
    """Arms and candidates (as many seeds) of each study, and how long Ray Tune may take.

    Of each crowd: simulated workers, nodes, trials.
    """

    idle: tuple[int, int]
    second: tuple[int, int]
    search: tuple[int, int]
    crowds: tuple[tuple[int, int, int], ...]
    tune_trials: int
    tune_seconds: tuple[float, float]


FULL = Sizes(
    (100, 50), (10, 50), (2, 1000),
    ((64, 4, 2000), (256, 8, 2400), (1024, 8, 5000)),
    10_000, (240.0, 150.0),
)  # fmt: skip
QUICK = Sizes((10, 10), (4, 5), (2, 100), ((16, 2, 400),), 200, (60.0, 60.0))


@dataclass(frozen=True)
class Measured:
    """What each run took, as its process said."""

    idle: dict[str, Any]
    second: dict[str, Any]
    search: dict[str, Any]
    tune: dict[str, Any]
    tune_second: dict[str, Any]
    crowds: list[dict[str, Any]]
    slots: int
    machine: str
    load: str
    date: str


@contextmanager
def cluster(nodes: int = NODES, cpus: int = CPUS, **environment: str) -> Iterator[str]:
    """Start a simulated cluster on loopback, whose head trains nothing; yield its address."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(
        prefix="scale-", dir="/tmp", ignore_cleanup_errors=True
    ) as name:
        Path(name, "ray").mkdir()
        os.environ |= {
            "RAY_TMPDIR": name,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's switch for loopback
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        from ray.cluster_utils import Cluster

        started = Cluster()
        try:
            started.add_node(num_cpus=0, include_dashboard=False, node_ip_address="127.0.0.1")
            for _ in range(nodes):
                started.add_node(wait=False, num_cpus=cpus, node_ip_address="127.0.0.1")
            started.wait_for_nodes(120)
            yield str(started.address)
        finally:
            started.shutdown()
            os.environ.clear()
            os.environ.update(before)


def measure(sizes: Sizes) -> Measured:
    """Run everything, one after the other."""
    with cluster() as address:
        idle = _ours(sizes.idle, address)
        second = _ours(sizes.second, address, "--sleep")
        idle_budget, second_budget = sizes.tune_seconds
        tune = _tune(sizes.tune_trials, address, idle_budget)
        tune_second = _tune(second["trials"], address, second_budget, seconds=1.0)
    search = _ours(sizes.search, None)
    crowds = [said for size in sizes.crowds for said in crowd(*size)]
    date = datetime.date.today().isoformat()
    return Measured(
        idle, second, search, tune, tune_second, crowds, SLOTS, machine(), load_average(), date
    )


def crowd(workers: int, nodes: int, trials: int) -> Iterator[dict[str, Any]]:
    """Measure so many simulated workers at `RATE` records a second, with foremen and without."""
    seconds = str(workers / RATE)
    size = ("--workers", str(workers), "--trials", str(trials))
    with cluster(nodes, workers // nodes, CROWD_SECONDS=seconds) as address:
        for flags in (("--foremen",), ()):
            yield _said("benchmarks._scale_crowd", *size, "--address", address, *flags)


def rows(quick: bool) -> list[Row]:
    """Measure the largest crowd, for the page of benchmarks."""
    workers, nodes, trials = (QUICK if quick else FULL).crowds[-1]
    told, direct = crowd(workers, nodes, trials)
    waits = "; ".join(
        f"{name} {1e3 * wait:,.0f} ms (without foremen {1e3 * other:,.0f})"
        for name, wait, other in zip(
            ("median", "99 %", "most"), told["wait"], direct["wait"], strict=True
        )
    )
    first, later = told["memory"]
    return [
        Row(
            f"{workers:,} simulated workers on {nodes} nodes, a foreman on each: the conductor's "
            "processor time for a trial",
            "a stream from each worker to the conductor",
            direct["cpu"] / told["cpu"],
            f"{RATE} records a second",
            f"{told['rate']:.1f} records a second, {100 * told['share']:.0f} % of a core, "
            f"{1e3 * told['cpu']:.1f} ms a trial; a free worker waits for its next trial: {waits}; "
            f"conductor {first:,.0f} MB after the first trials, {later:,.0f} MB at the end; "
            f"{trials:,} trials; {load_average()}",
        )
    ]


def _ours(size: tuple[int, int], address: str | None, *more: str) -> dict[str, Any]:
    arms, half = (str(number) for number in size)
    where = () if address is None else ("--address", address)
    return _said("benchmarks._scale_study", "--arms", arms, "--half", half, *where, *more)


def _tune(trials: int, address: str, budget: float, seconds: float = 0.0) -> dict[str, Any]:
    return _said(
        "benchmarks._scale_tune", "--trials", str(trials), "--budget", str(budget),
        "--seconds", str(seconds), "--slots", str(SLOTS), "--address", address,
    )  # fmt: skip


def _said(module: str, *arguments: str) -> dict[str, Any]:
    began = time.time()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        ran = python("-m", module, *arguments, "--folder", folder)
    said: dict[str, Any] = json.loads(ran.output.splitlines()[-1])
    print(f"{module} {' '.join(arguments)}: {said['trials']} trials, {time.time() - began:.0f} s")
    return said


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the page, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes; writes nothing")
    parser.add_argument("--crowds", action="store_true", help="only the simulated workers")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "scale.md")
    parser.add_argument("--keep", type=Path, help="keep what was measured in this file")
    parser.add_argument("--again", type=Path, help="write the page from what was kept")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else FULL
    if options.again:
        found = Measured(**json.loads(options.again.read_text()))
    elif options.crowds:
        print(crowd_table([said for size in sizes.crowds for said in crowd(*size)]))
        return
    else:
        found = measure(sizes)
    if options.keep:
        options.keep.write_text(json.dumps(vars(found)))
    text = page(found)
    print(text)
    if not options.quick:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
