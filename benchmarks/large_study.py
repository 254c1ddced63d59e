"""A finished study of up to 10,000 trials: to run it again, to plan, report and open it.

Run alone: `python -m benchmarks.run --only large [--quick]`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks._browser import Opened, opened
from benchmarks._processes import Ran, load_average, python
from benchmarks._synthetic import EPOCHS, SIZES, Size, finish, write_study
from benchmarks.measure import Row

_MEASURED = """
import sys
from harness.cli.app import run
status = run(sys.argv[1:])
print()
# Not resource.getrusage: its peak counts what the process that started this one had in use.
lines = open("/proc/self/status").read().splitlines()
print(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")))
sys.exit(status)
"""
COMMANDS = ("run again", "plan", "report", "report again")


@dataclass(frozen=True)
class Cost:
    """Seconds of wall-clock and processor time of a command, and its memory in MB."""

    seconds: float
    cpu_seconds: float
    memory: int


@dataclass(frozen=True)
class Measured:
    """What a finished study of a size costs; `first` is the run that fills the mirror."""

    trials: int
    database_mb: float
    mirror_seconds: float
    costs: dict[str, Cost]
    pages: Pages


@dataclass(frozen=True)
class Pages:
    """Size of a report in MB, with all its files; and how its pages open in Chromium."""

    page_mb: float
    folder_mb: float
    files: int
    report: Opened | None
    trials: Opened | None


def rows(quick: bool) -> list[Row]:
    """Measure growth, and the largest size against its targets."""
    repeats, sizes = (1, SIZES[:3]) if quick else (3, SIZES)
    found = [measure(size, repeats) for size in sizes]
    last = found[-1]
    targets = dict(zip(COMMANDS, ("≤ 3 s", "≤ 0.5 s", "≤ 20 s", "–"), strict=True))
    return [
        Row(
            f"a finished study of {last.trials:,} trials: {name}",
            "–",
            None,
            targets[name] if last.trials == 10_000 else "–",
            "; ".join(
                f"{one.trials:,} trials: {one.costs[name].seconds:.1f} s "
                f"({one.costs[name].cpu_seconds:.1f} s of processor, {one.costs[name].memory} MB)"
                for one in found
            )
            + f"; {EPOCHS} epochs in each record; databases of "
            + ", ".join(f"{one.database_mb:.1f}" for one in found)
            + " MB; the run before, which filled the mirror: "
            + ", ".join(f"{one.mirror_seconds:.0f}" for one in found)
            + f" s; median of {repeats}; {load_average()}",
        )
        for name in COMMANDS
    ] + [_opens(found)]


def measure(size: Size, repeats: int) -> Measured:
    """Make a finished study of a size, let a run mirror it, then take the times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, results = write_study(size, folder), folder / "results"
        count = finish(file, results)
        at = ("--results", str(results), "--out", str(folder / "reports"))
        run_again = ("run", str(file), "--json", *at)
        # The mirror gives up after a while without progress and goes on in the next run.
        mirror_seconds = python("-m", "harness", *run_again).seconds
        ways = {
            "run again": run_again,
            "plan": ("plan", str(file), "--results", str(results), "--json"),
            "report": ("report", *at),
            "report again": ("report", *at),  # nothing differs, so that no page is drawn
        }
        times: dict[str, list[Ran]] = {way: [] for way in ways}
        for _ in range(repeats):
            for way, arguments in ways.items():
                if way == "report":
                    shutil.rmtree(folder / "reports")
                times[way].append(python("-c", _MEASURED, *arguments))
        reused = json.loads(times["run again"][-1].output.splitlines()[0])["trials"]["reused"]
        if reused != count:
            raise RuntimeError(f"{reused} of {count} trials were reused")
        pages = _pages(folder / "reports" / "synthetic", repeats)
        database_mb = (results / "harness.db").stat().st_size / 1e6
    costs = {
        way: Cost(
            median(one.seconds for one in ran),
            median(one.cpu_seconds for one in ran),
            int(ran[-1].output.splitlines()[-1]),
        )
        for way, ran in times.items()
    }
    return Measured(count, database_mb, mirror_seconds, costs, pages)


def _pages(folder: Path, repeats: int) -> Pages:
    sizes = [file.stat().st_size / 1e6 for file in folder.rglob("*") if file.is_file()]
    page, trials = folder / "index.html", folder / "trials" / "default-1.html"
    return Pages(
        page.stat().st_size / 1e6,
        sum(sizes),
        len(sizes),
        opened(page, repeats),
        opened(trials, repeats) if trials.is_file() else None,
    )


def _opens(found: Sequence[Measured]) -> Row:
    said = []
    for one in found:
        text = (
            f"{one.trials:,} trials: page of {one.pages.page_mb:.1f} MB,"
            f" {one.pages.files} files of {one.pages.folder_mb:.1f} MB"
        )
        for name, page in (("report", one.pages.report), ("page of trials", one.pages.trials)):
            if page is not None:
                text += (
                    f", {name} painted after {page.painted:.0f} ms and loaded after"
                    f" {page.loaded:.0f} ms ({page.elements:,} elements)"
                )
                if page.filtered is not None and page.sorted is not None:
                    text += f", its arms filtered in {page.filtered:.0f} ms and sorted in"
                    text += f" {page.sorted:.0f} ms"
        said.append(text)
    return Row(
        f"the report of {found[-1].trials:,} trials: to open, filter and sort it in Chromium",
        "–",
        None,
        "loaded ≤ 3 s; filtered ≤ 100 ms" if found[-1].trials == 10_000 else "–",
        "; ".join(said) + f"; {load_average()}",
    )
