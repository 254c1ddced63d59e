"""The page of all benchmarks: the newest figures of each group of rows, and those before them.

Groups can be measured one at a time; what is known of the others stays. The figures themselves are
in a file of JSON beside the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Row

SWEEP = "sweep"
PREAMBLE = """# Benchmarks

Written by `make bench`, or by `python -m benchmarks.run --only GROUP` for one group of rows; the
last column says when a row was measured. {machines} Every ratio is of two ways within one run:
all ways run in turn, {repeats} times unless a row says otherwise, after one that does not count,
and the ratio is the median over the repeats. 2 means that the other way takes twice as long.
Wall-clock time comes first; CPU time feels neighbours on the machine less. Where one trial is
measured, nothing that is loaded once for all trials (the data set, PyTorch) is timed; whole
studies are timed from the start of the process to its end.
"""
AFTER_SWEEP = """
Measured on {date}. The choice is the engine's own, measuring included; "× quicker" compares the CPU
time of all trials (wall-clock time on a GPU) with never packing. It must not be below 0.95.
"""
BEFORE = """
## Before

The same rows as they were measured the time before, on the date in the last column. Machines were
not always equally quiet; the ratios within one run say more than times.
"""
ON_A_GPU = (
    ("MNIST MLP (handbook 6.2) on a GPU", "≥ 10"),
    ("64-trial digits study on a GPU, packed against unpacked", "≥ 15"),
)

Group = dict[str, Any]
"""Of a group of rows: date, machine, repeats, rows (or lines of the sweep), and what was before."""


def merged(old: Mapping[str, Group], new: Mapping[str, Group]) -> dict[str, Group]:
    """Return all groups, of which some were measured anew; each knows what it was before.

    Of two measurements on one day the later one counts, and what was before both stays.
    """
    groups = dict(old)
    for name, group in new.items():
        last = old.get(name, {})
        before = last if last.get("date") != group["date"] else last.get("before")
        kept = {key: value for key, value in (before or {}).items() if key != "before"}
        groups[name] = {**group, "before": kept or None}
    return groups


def measured(date: str, machine: str, repeats: int, found: Sequence[Row] | Sequence[str]) -> Group:
    """Return a group as it is kept."""
    rows = [asdict(row) if isinstance(row, Row) else row for row in found]
    return {"date": date, "machine": machine, "repeats": repeats, "rows": rows}


def read(file: Path) -> dict[str, Group]:
    """Return what was measured up to now."""
    if not file.is_file():
        return {}
    groups: dict[str, Group] = json.loads(file.read_text(encoding="utf-8"))
    return groups


def write(file: Path, page: Path, groups: Mapping[str, Group], gpu: bool) -> None:
    """Write the figures, and the page that shows them."""
    file.write_text(json.dumps(groups, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page.write_text(_page(groups, gpu), encoding="utf-8")


def line(row: Row, date: str = "") -> str:
    """Return a row of the table; with a date, in its last column."""
    figure = f"{row.ratio:.2f}" if isinstance(row.ratio, float) else row.ratio or "–"
    cells = [row.name, row.against, figure, row.target, row.detail, *([date] if date else [])]
    return f"| {' | '.join(cells)} |"


def _page(groups: Mapping[str, Group], gpu: bool) -> str:
    tables = {name: group for name, group in groups.items() if name != SWEEP}
    machines = sorted({f"{group['machine']}." for group in groups.values()})
    repeats = max((int(group["repeats"]) for group in groups.values()), default=0)
    parts = [PREAMBLE.format(machines=" ".join(machines), repeats=repeats), *_table(tables)]
    if not gpu:
        parts += [f"| {what} | | skipped: no GPU here | {least} | | |" for what, least in ON_A_GPU]
    if SWEEP in groups:
        sweep = groups[SWEEP]
        parts += ["", "## Is packing chosen where it pays?", "", *sweep["rows"]]
        parts.append(AFTER_SWEEP.format(date=sweep["date"]).rstrip())
    before = {name: group["before"] for name, group in tables.items() if group.get("before")}
    if before:
        parts += [BEFORE, *_table(before)]
    return "\n".join(parts) + "\n"


def _table(groups: Mapping[str, Group]) -> list[str]:
    lines = ["| what | against | ratio | target | measured | on |", "|---|---|---|---|---|---|"]
    for group in groups.values():
        lines += [line(Row(**row), group["date"]) for row in group["rows"]]
    return lines
