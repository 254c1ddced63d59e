"""Measure the engine and the whole harness, and write docs/benchmarks.md.

Run `python -m benchmarks.run` from the repository's root; MNIST is looked for in $HARNESS_DATA.
`--engine-only` leaves out what starts Ray, MLflow and Ray Tune.
"""

import argparse
import datetime
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch

from benchmarks import overhead, packs, single
from benchmarks.measure import Row, machine

ROOT = Path(__file__).parents[1]
STUDIES = ("startup", "study_overhead", "whole_study", "large_study")
PREAMBLE = """# Benchmarks

Written by `python -m benchmarks.run` on {date}: {machine}. Every figure is a ratio of two ways
within one run: all ways run in turn, {repeats} times after one that does not count, and the ratio
is the median over the repeats. 2 means that the other way takes twice as long. Wall-clock time
comes first; the machine has neighbours, and CPU time feels them less. Nothing that is loaded once
for all trials (the data set, PyTorch) is timed; everything that each trial needs is.
"""
AFTER_SWEEP = """
The choice is the engine's own, measuring included; "× quicker" compares the CPU time of all trials
(wall-clock time on a GPU). It must never be below 0.95.
"""


def main() -> None:
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--engine-only", action="store_true")
    parser.add_argument("--quick", action="store_true", help="smaller whole studies")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    rows = []
    for measured in (single.rows, packs.study_rows, overhead.rows):
        found = measured(options.repeats)
        rows += found
        print("\n".join(_line(row) for row in found), flush=True)
    for module in () if options.engine_only else STUDIES:
        found = import_module(f"benchmarks.{module}").rows(options.quick)
        rows += found
        print("\n".join(_line(row) for row in found), flush=True)
    lines = packs.sweep(max(3, options.repeats - 2))
    options.out.write_text(_page(rows, lines, options.repeats))
    print(f"written to {options.out}")


def _page(rows: Sequence[Row], sweep: Sequence[str], repeats: int) -> str:
    table = ["| what | against | ratio | target | measured |", "|---|---|---|---|---|"]
    table += [_line(row) for row in rows]
    if not torch.cuda.is_available():
        table.append("| the same on a GPU | | skipped: no GPU here | ≥ 10; ≥ 15 | |")
    date = datetime.date.today().isoformat()
    head = PREAMBLE.format(date=date, machine=machine(), repeats=repeats)
    return "\n".join(
        [head, *table, "", "## Is packing chosen where it pays?", "", *sweep, AFTER_SWEEP]
    )


def _line(row: Row) -> str:
    figure = f"{row.ratio:.2f}" if isinstance(row.ratio, float) else row.ratio or "–"
    return f"| {row.name} | {row.against} | {figure} | {row.target} | {row.detail} |"


if __name__ == "__main__":
    main()
