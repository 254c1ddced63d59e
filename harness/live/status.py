"""What a run tells its live page beside the records: one small file, written again and again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "live.json"


@dataclass(frozen=True)
class Running:
    """A trial that was handed to a worker.

    Attributes:
        arm: and `phase`, `seed` and `candidate`: what it is for.
        since: when it was handed over, in seconds since 1970.
        epochs: that it has told of, and `of` how many there are; 0 if that is unknown.
    """

    arm: str
    phase: str
    seed: int
    candidate: int | None
    since: float
    epochs: int = 0
    of: int = 0


@dataclass(frozen=True)
class Status:
    """What goes on in a run at a moment.

    Attributes:
        execution: its number.
        at: the moment, in seconds since 1970.
        slots: how many trials, or packs of them, are worked on at once; 0 before that is known.
        running: the trials that were handed over.
        notices: (moment, text), the newest last.
        verdicts: (claim, verdict in words), once the claims were judged.
        report: the page of the report, once it is written.
    """

    execution: int
    at: float = 0.0
    slots: int = 0
    running: Sequence[Running] = ()
    notices: Sequence[tuple[float, str]] = ()
    verdicts: Sequence[tuple[str, str]] = ()
    report: str = ""


def write_status(folder: Path, status: Status) -> None:
    """Put a status in place of the last one; a reader finds the one or the other, never a part.

    Raises:
        OSError: if it cannot be written.
    """
    beside = folder / f".{FILE}.{os.getpid()}"
    beside.write_text(json.dumps(asdict(status)))
    beside.replace(folder / FILE)


def read_status(folder: Path) -> Status | None:
    """Return the newest status of a results folder; None if there is none that can be read."""
    try:
        fields = json.loads((folder / FILE).read_text())
        running = [Running(**trial) for trial in fields.pop("running")]
        return Status(running=running, **fields)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
