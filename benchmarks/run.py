"""Measure the engine and the whole harness, and write one table to docs/benchmarks.md.

Run `python -m benchmarks.run` from the repository's root; MNIST is looked for in $HARNESS_DATA.
`--only single,packs` measures some groups of rows and prints them; `--quick` runs every row once on
smaller work, to see that all of it works.
"""

import argparse
import datetime
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import torch

from benchmarks import growth, overhead, packs, single
from benchmarks.measure import Row, machine

ROOT = Path(__file__).parents[1]
Measured = Callable[[int, bool], list[Row]]
GROUPS: dict[str, Measured] = {
    "single": single.rows,
    "packs": lambda repeats, _: packs.study_rows(repeats),
    "engine": lambda repeats, _: overhead.rows(repeats),
    "startup": lambda _, quick: import_module("benchmarks.startup").rows(quick),
    "overhead": lambda _, quick: import_module("benchmarks.study_overhead").rows(quick),
    "short": lambda _, quick: import_module("benchmarks.short_study").rows(quick),
    "study": lambda _, quick: import_module("benchmarks.whole_study").rows(quick),
    "large": lambda _, quick: import_module("benchmarks.large_study").rows(quick),
    "growth": growth.rows,
}
SWEEP = "sweep"
PREAMBLE = """# Benchmarks

Written by `make bench` on {date} in {minutes:.0f} minutes{shortened}: {machine}. Every ratio is of
two ways within one run: all ways run in turn, {repeats} times unless a row says otherwise, after
one that does not count, and the ratio is the median over the repeats. 2 means that the other way
takes twice as long. Wall-clock time comes first; CPU time feels neighbours on the machine less.
Where one trial is measured, nothing that is loaded once for all trials (the data set, PyTorch) is
timed; whole studies are timed from the start of the process to its end.
"""
AFTER_SWEEP = """
The choice is the engine's own, measuring included; "× quicker" compares the CPU time of all trials
(wall-clock time on a GPU) with never packing. It must not be below 0.95.
"""


def main() -> None:
    """Run the benchmarks that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="once, on smaller work")
    names = [*GROUPS, SWEEP]
    parser.add_argument("--only", help=f"some of {','.join(names)}; prints, writes nothing")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else names
    if not set(chosen) <= set(names):
        parser.error(f"--only takes some of {','.join(names)}")
    repeats = 1 if options.quick else options.repeats
    torch.set_num_threads(1)
    # as in any ordinary installation, processes find the compiled files of those before them
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = time.monotonic()
    print(machine())
    rows: list[Row] = []
    failed: list[str] = []
    for name in [name for name in GROUPS if name in chosen]:
        try:
            found = GROUPS[name](repeats, options.quick)
        except Exception as error:  # the other rows are worth having
            failed.append(name)
            traceback.print_exc()
            last = str(error).strip().splitlines()[-1:]
            found = [Row(f"group {name}", "–", "failed", "–", " ".join(last))]
        rows += found
        print("\n".join(_line(row) for row in found), flush=True)
        print(f"({name}: {time.monotonic() - begin:.0f} s since the start)", flush=True)
    lines = packs.sweep(repeats, options.quick) if SWEEP in chosen else []
    if options.only:
        sys.exit(bool(failed))
    page = PREAMBLE.format(
        date=datetime.date.today().isoformat(),
        minutes=(time.monotonic() - begin) / 60,
        shortened=" (shortened: `--quick`)" if options.quick else "",
        machine=machine(),
        repeats=repeats,
    )
    options.out.write_text(page + _table(rows, lines))
    print(f"written to {options.out}")
    sys.exit(bool(failed))


def _table(rows: Sequence[Row], sweep: Sequence[str]) -> str:
    table = ["| what | against | ratio | target | measured |", "|---|---|---|---|---|"]
    table += [_line(row) for row in rows]
    if not torch.cuda.is_available():
        table += [
            f"| {what} | | skipped: no GPU here | {target} | |"
            for what, target in (
                ("MNIST MLP (handbook 6.2) on a GPU", "≥ 10"),
                ("64-trial digits study on a GPU, packed against unpacked", "≥ 15"),
            )
        ]
    return "\n".join(
        ["", *table, "", "## Is packing chosen where it pays?", "", *sweep, AFTER_SWEEP]
    )


def _line(row: Row) -> str:
    figure = f"{row.ratio:.2f}" if isinstance(row.ratio, float) else row.ratio or "–"
    return f"| {row.name} | {row.against} | {figure} | {row.target} | {row.detail} |"


if __name__ == "__main__":
    main()
