"""Measure the engine and the whole harness, and write one table to docs/benchmarks.md.

Run `python -m benchmarks.run` from the repository's root; MNIST is looked for in $HARNESS_DATA.
`--only single,packs` measures some groups of rows, and leaves the others on the page as they are;
`--quick` runs every row once on smaller work, to see that all of it works.
"""

import argparse
import datetime
import os
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch

from benchmarks import growth, overhead, packs, single
from benchmarks._page import SWEEP, Group, line, measured, merged, read, write
from benchmarks.measure import Row, machine

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
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
    "crowd": lambda _, quick: import_module("benchmarks.scale").rows(quick),
    "growth": growth.rows,
}


def main() -> None:
    """Run the benchmarks that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--quick", action="store_true", help="once, on smaller work")
    names = [*GROUPS, SWEEP]
    parser.add_argument("--only", help=f"some of {','.join(names)}")
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
    date = datetime.date.today().isoformat()
    new: dict[str, Group] = {}
    failed: list[str] = []
    for name in [name for name in names if name in chosen]:
        try:
            found = packs.sweep(repeats, options.quick) if name == SWEEP else _rows(name, options)
            new[name] = measured(date, machine(), repeats, found)
        except Exception:  # the other rows are worth having
            failed.append(name)
            traceback.print_exc()
        print(f"({name}: {time.monotonic() - begin:.0f} s since the start)", flush=True)
    if options.quick and options.out == PAGE:
        print("nothing is written of smaller work; say where with --out")
    else:
        file = options.out.with_suffix(".json")
        known = merged(read(file), new)
        ordered = {name: known[name] for name in names if name in known}
        write(file, options.out, ordered, torch.cuda.is_available())
        print(f"written to {options.out}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _rows(name: str, options: argparse.Namespace) -> list[Row]:
    """Measure a group of rows and print them."""
    rows = GROUPS[name](1 if options.quick else options.repeats, options.quick)
    print("\n".join(line(row) for row in rows), flush=True)
    return rows


if __name__ == "__main__":
    main()
