"""What a live page shows of a run at a moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.formatting import seconds
from harness.live.effects import Effect
from harness.live.status import Running
from harness.store import Execution

_HEADLINES = {
    "none": "Nothing has been run here yet",
    "running": "Running",
    "gone": "The process of this run is gone",
    "interrupted": "The run was interrupted",
    "finished": "The run has ended",
    "failed": "The run has ended, and some trials failed",
    "stopped": "The run has ended at its limit of time or cost",
}


@dataclass(frozen=True)
class Bar:
    """Trials of a phase, of all arms or of one: ended, planned, and what became of them."""

    phase: str
    done: int
    planned: int

    @property
    def share(self) -> str:
        """What has ended, in percent."""
        return f"{math.floor(100 * self.done / self.planned)} %" if self.planned else "–"


@dataclass(frozen=True)
class ArmRow:
    """The trials of an arm (or of a stage) by phase, and how many failed or diverged."""

    name: str
    bars: Sequence[Bar]
    failed: int
    diverged: int
    running: int


@dataclass(frozen=True)
class Failure:
    """A trial that failed or diverged, or an attempt that was lost; `text` may be a traceback."""

    kind: str
    where: str
    trial_id: str
    text: str

    @property
    def line(self) -> str:
        """The last line, which of a traceback is the error."""
        return self.text.strip().rpartition("\n")[2]


@dataclass(frozen=True)
class View:
    """Everything that the page says. Times are seconds since 1970."""

    state: str
    detail: str
    now: float
    execution: Execution | None = None
    current: bool = True
    runs: Sequence[Execution] = ()
    bars: Sequence[Bar] = ()
    arms: Sequence[ArmRow] = ()
    effects: Sequence[Effect] = ()
    effects_hidden: str = ""
    verdicts: Sequence[tuple[str, str]] = ()
    report: str = ""
    failures: Sequence[Failure] = ()
    running: Sequence[Running] = ()
    slots: int = 0
    devices: Sequence[tuple[str, int]] = ()
    facts: Sequence[tuple[str, str]] = ()
    notices: Sequence[tuple[float, str]] = ()
    question: str = ""

    @property
    def headline(self) -> str:
        """What goes on, in a few words that change only where it does."""
        return _HEADLINES.get(self.state, self.state)

    @property
    def title(self) -> str:
        """The title of the page: how far, and of what."""
        if self.execution is None:
            return self.headline
        done, planned = (sum(getattr(b, n) for b in self.bars) for n in ("done", "planned"))
        share = f"{math.floor(100 * done / planned)} %" if planned else ""
        word = {"running": share, "gone": "process gone"}.get(self.state, self.state)
        return f"{word} · {self.execution.study} ({self.execution.profile})"

    def ago(self, moment: float) -> str:
        """Say how long ago a moment was."""
        return ago(self.now - moment)


def ago(since: float) -> str:
    """Say how long ago something was, in whole seconds."""
    whole = max(0, round(since))
    return f"{whole} s ago" if whole < 10 else f"{seconds(whole)} ago"
