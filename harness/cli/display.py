"""How a run looks in the terminal: live bars for a person, plain lines for a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from harness.cli.verdict_table import print_verdicts
from harness.cli.words import duration, number
from harness.metrics import lower_is_better
from harness.plan import SIMPLE_BASELINE, Assignment
from harness.run.observer import Closing, Observer, Opening
from harness.trial import Phase, Record, State

SECONDS_BETWEEN_LINES = 10.0


class Display(Observer):
    """Shows trials by phase, the time left, the best arm so far and what failed."""

    def __init__(self, results: Path, tracking_uri: str | None = None):
        self.console = Console()
        self._results = results
        self._tracking_uri = tracking_uri
        self._bars: dict[Phase, TaskID] = {}
        self._progress: Progress | None = None
        self._done = dict.fromkeys(Phase, 0)
        self._planned = dict.fromkeys(Phase, 0)
        self._reused = self._failed = 0
        self._scores: dict[str, list[float]] = {}
        self._begin = self._last_line = time.monotonic()
        self._study = self._metric = ""

    def opened(self, opening: Opening) -> None:
        """Name the study and start the bars."""
        study = opening.plan.study
        self._study = study.study
        self._metric = opening.plan.search_metric(opening.plan.baseline)
        self._planned = {Phase(phase): count for phase, count in opening.planned.items()}
        self.console.print(
            f"[bold]{study.study}[/bold] ({opening.plan.profile}): {study.question}",
            highlight=False,
        )
        if not self.console.is_terminal:
            return
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
        )
        for phase, count in self._planned.items():
            if count:
                self._bars[phase] = self._progress.add_task(phase.value, total=count, note="")
        self._progress.start()

    def extended(self, planned: Mapping[str, int]) -> None:
        """Make room for more trials."""
        for name, count in planned.items():
            self._planned[Phase(name)] = count
            if self._progress is not None and Phase(name) in self._bars:
                self._progress.update(self._bars[Phase(name)], total=count)

    def finished(self, record: Record, assignments: Sequence[Assignment], reused: bool) -> None:
        """Count a trial, and note the best arm so far."""
        for item in assignments:
            self._done[item.phase] += 1
        if reused:
            self._reused += len(assignments)
        if record.state is State.FAILED:
            self._failed += 1
            arm = assignments[0].arm
            last_line = record.reason.strip().rpartition("\n")[2]
            self._say(f"[red]failed[/red] {arm}, seed {record.trial.seed}: {last_line}")
        value = record.metrics.get(self._metric)
        for item in assignments:
            an_arm = item.arm != SIMPLE_BASELINE and item.phase is not Phase.PRETRAINING
            if value is not None and an_arm:
                self._scores.setdefault(item.arm, []).append(value)
        self._update(assignments)

    def lost(self, assignment: Assignment, cause: str) -> None:
        """Say that a worker went away."""
        self._say(f"[yellow]lost[/yellow] {assignment.arm}: {cause}")

    def noticed(self, text: str) -> None:
        """Pass a notice on."""
        self._say(f"[yellow]note[/yellow] {text}")

    def closed(self, closing: Closing) -> None:
        """Show the verdicts and where to look next."""
        if self._progress is not None:
            self._progress.stop()
        counts = closing.counts
        ran = sum(count for state, count in counts.items() if state != "reused")
        parts = [f"{ran} trials ran", f"{counts['reused']} were reused"]
        parts += [f"{counts[state]} {state}" for state in ("diverged", "failed") if counts[state]]
        self.console.print(f"{', '.join(parts)}; {duration(closing.wall_seconds)}", highlight=False)
        if closing.report is None:
            return
        if closing.verdicts:
            self.console.print()
            print_verdicts(closing.verdicts, self.console)
        self.console.print(f"\nreport: {closing.report / 'index.html'}", highlight=False)
        if self._tracking_uri is None:
            option = "" if self._results == Path("results") else f" --results {self._results}"
            self.console.print(f"browse: {_program()} ui{option}", highlight=False)

    def unchanged(self, opening: Opening, closing: Closing) -> None:
        """Show what came of it, as if it had been done again."""
        self.opened(opening)
        self.closed(closing)

    def _update(self, assignments: Sequence[Assignment]) -> None:
        if self._progress is not None:
            for item in assignments:
                self._progress.update(self._bars[item.phase], advance=1, note=self._leader())
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            done = ", ".join(
                f"{phase.value} {self._done[phase]}/{count}"
                for phase, count in self._planned.items()
            )
            self.console.print(
                f"{duration(self._last_line - self._begin)}: {done}", highlight=False
            )

    def _leader(self) -> str:
        """Name the arm with the best mean of the metric that the study searches by, so far."""
        means = {arm: fmean(values) for arm, values in self._scores.items()}
        choose = min if lower_is_better(self._metric) else max
        best = choose(means, key=lambda arm: means[arm], default=None)
        return f"best so far: {best} {number(means[best])}" if best else ""

    def _say(self, text: str) -> None:
        console = self._progress.console if self._progress is not None else self.console
        console.print(text, highlight=False)


def _program() -> str:
    """Return how this command was called, so that the next one can be called alike."""
    called = sys.argv[0]
    return (
        called if called.endswith(f"{os.sep}harness") and not os.path.isabs(called) else "harness"
    )
