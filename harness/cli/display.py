"""How a run looks in the terminal: a live picture for a person, plain lines for a log."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.api.board_lines import board_lines
from harness.cli.tally import TROUBLES, Tally, pace, spent
from harness.cli.verdict_table import STYLES, print_verdicts
from harness.formatting import number, seconds
from harness.judged import Verdict
from harness.plan import Assignment
from harness.run.limits import bill_of
from harness.run.observer import Closing, Observer, Opening
from harness.run.outcome import Costs
from harness.study import Study
from harness.trial import Record, State

SECONDS_BETWEEN_LINES = 10.0
MOST_TROUBLES = 5
"""Failures and losses that are told one by one; further ones are only counted."""


class Display(Observer):
    """Shows trials by phase, the pace, the time left, the best arm so far and what failed."""

    def __init__(
        self, results: Path, tracking_uri: str | None = None, console: Console | None = None
    ):
        self.console = console or Console()
        self._results = results
        self._tracking_uri = tracking_uri
        self._tally: Tally | None = None
        self._study: Study | None = None
        self._live: Live | None = None
        self._failed: list[str] = []
        self._told = 0
        self._summed_up = False
        self._begin = self._last_line = time.monotonic()

    def opened(self, opening: Opening) -> None:
        """Name the study and start the picture."""
        study = opening.plan.study
        self._tally = Tally(opening.plan, opening.planned)
        self._study = study
        self._print(
            f"[bold]{study.study}[/bold] ({opening.plan.profile}): {escape(study.question)}"
        )
        if self.console.is_terminal:
            self._live = Live(
                get_renderable=self._picture,
                console=self.console,
                refresh_per_second=4,
                transient=True,
            )
            self._live.start()

    def extended(self, planned: Mapping[str, int]) -> None:
        """Make room for more trials."""
        assert self._tally is not None
        self._tally.extend(planned)

    def started(self, assignment: Assignment) -> None:
        """Count a trial that runs."""
        assert self._tally is not None
        self._tally.start(assignment)

    def finished(self, record: Record, assignments: Sequence[Assignment], reused: bool) -> None:
        """Count a trial, and tell of a failure."""
        assert self._tally is not None
        self._tally.finish(record, assignments, reused)
        if record.state is State.FAILED:
            self._failed.append(record.trial_id)
            last_line = record.reason.strip().rpartition("\n")[2]
            where = f"{assignments[0].arm}, seed {record.trial.seed}"
            self._trouble(f"[red]failed[/red] {escape(where)}: {escape(last_line)}")
        if self._live is None and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._print(self._line(self._tally))

    def lost(self, assignment: Assignment, cause: str) -> None:
        """Say that a worker went away."""
        assert self._tally is not None
        self._tally.lost += 1
        self._tally.running.discard(assignment.trial.id)
        self._trouble(f"[yellow]lost[/yellow] {escape(assignment.arm)}: {escape(cause)}")

    def noticed(self, text: str) -> None:
        """Pass a notice on."""
        self._print(f"[yellow]note[/yellow] {escape(text)}")

    def judged(self, closing: Closing) -> None:
        """Show the verdicts."""
        self._summed_up = True
        if self._live is not None:
            self._live.stop()
            self._live = None
        counts = closing.counts
        ran = sum(count for state, count in counts.items() if state != "reused")
        parts = [f"{ran} trials ran", f"{counts['reused']} were reused"]
        parts += [f"{counts[state]} {state}" for state in ("diverged", "failed") if counts[state]]
        self._print(f"{', '.join(parts)}; {seconds(closing.wall_seconds)}")
        if closing.costs.spent:
            bill = bill_of(self._study, closing.costs.spent) if self._study else None
            self._print(_costs(closing.costs) + (f"; {bill}" if bill else ""))
        for board in closing.leaderboards:
            self.console.print()
            for line in board_lines(board):
                self._print(escape(line))
        if closing.verdicts:
            self.console.print()
            print_verdicts(closing.verdicts, self.console)
            self._print(f"\n{_count(closing.verdicts)}")

    def closed(self, closing: Closing) -> None:
        """Show where to look next, and the verdicts if they were not shown yet."""
        if not self._summed_up:
            self.judged(closing)
        if closing.report is not None:
            self._print_next(closing.report)

    def unchanged(self, opening: Opening, closing: Closing) -> None:
        """Show what came of it, as if it had been done again."""
        self._print(
            f"[bold]{opening.plan.study.study}[/bold] ({opening.plan.profile}):"
            f" {escape(opening.plan.study.question)}"
        )
        self.closed(closing)

    def modelled(self, text: str) -> None:
        """Say where an arm's network is, on one line, so that its address can be copied."""
        self.console.print(f"model: {text}", highlight=False, markup=False, soft_wrap=True)

    def _print_next(self, report: Path) -> None:
        """Say where to look next; paths stay on one line, so that they can be copied."""
        option = "" if self._results == Path("results") else f" --results {self._results}"
        steps = [("report", str(report / "index.html"))]
        if self._tracking_uri is None:
            steps.append(("browse", f"{_program()} ui{option}"))
        if self._failed:
            steps.append(("failed", f"{_program()} trial {self._failed[0]}{option}"))
        for title, text in steps:
            self.console.print(f"{title}: {text}", highlight=False, markup=False, soft_wrap=True)

    def _picture(self) -> RenderableType:
        """Draw bars by phase, and under them what else is known."""
        tally = self._tally
        assert tally is not None
        bars = Table.grid(padding=(0, 1))
        for phase in tally.phases:
            done, count = tally.done[phase], tally.planned[phase]
            bars.add_row(phase.value, ProgressBar(count, done, width=28), f"{done}/{count}")
        lines = [Text(text) for text in (_pace(tally), _leader(tally)) if text]
        troubles = _troubles(tally)
        if troubles:
            lines.append(Text(troubles, style="red"))
        for line in lines:
            line.truncate(self.console.width, overflow="ellipsis")
        return Group(bars, *lines)

    def _line(self, tally: Tally) -> str:
        done = ", ".join(f"{p.value} {tally.done[p]}/{tally.planned[p]}" for p in tally.phases)
        left = tally.seconds_left()
        rest = [
            f"about {seconds(left)} left" if left is not None else "",
            _leader(tally),
            _troubles(tally),
        ]
        begun = seconds(self._last_line - self._begin)
        return escape("; ".join([f"{begun}: {done}", *(text for text in rest if text)]))

    def _trouble(self, text: str) -> None:
        self._told += 1
        if self._told <= MOST_TROUBLES:
            self._print(text)
        elif self._told == MOST_TROUBLES + 1:
            self._print("further failures and losses are only counted")

    def _print(self, text: str) -> None:
        """Print a line; where lines are for a log, it is not broken."""
        self.console.print(text, highlight=False, soft_wrap=not self.console.is_terminal)


def _costs(costs: Costs) -> str:
    """Say what was spent, each beside its forecast."""
    parts = []
    for unit, value in costs.spent.items():
        expected = costs.forecast.get(unit)
        beside = (
            f" (forecast: {spent(unit, expected).removesuffix(' of work')})" if expected else ""
        )
        parts.append(spent(unit, value) + beside)
    return f"cost: {', '.join(parts)}"


def _pace(tally: Tally) -> str:
    left, rate = tally.seconds_left(), tally.per_second()
    parts = [f"{len(tally.running)} handed out"] if tally.running else []
    parts += [pace(rate)] if rate is not None else []
    parts += [f"about {seconds(left)} left"] if left is not None else []
    return " · ".join(parts) or "starting"


def _leader(tally: Tally) -> str:
    best = tally.best()
    if best is None:
        return ""
    return f"best so far: {best[0]}, {tally.metric.replace('.', ' ')} {number(best[1])}"


def _troubles(tally: Tally) -> str:
    parts = [f"{tally.states[s]} {s.value}" for s in TROUBLES if tally.states[s]]
    parts += [f"{tally.lost} lost and tried again"] if tally.lost else []
    return ", ".join(parts)


def _count(verdicts: Sequence[Verdict]) -> str:
    """Count the verdicts in a sentence."""
    counts = Counter(verdict.verdict for verdict in verdicts)
    parts = [
        f"[{style}]{counts[word]} {word}[/{style}]"
        for word, style in STYLES.items()
        if counts[word]
    ]
    claims = "1 claim" if len(verdicts) == 1 else f"{len(verdicts)} claims"
    return f"{claims}: {', '.join(parts)}"


def _program() -> str:
    """Return how this command was called, so that the next one can be called alike."""
    called = sys.argv[0]
    return (
        called if called.endswith(f"{os.sep}harness") and not os.path.isabs(called) else "harness"
    )
