"""What was seen of an execution's confirmation trials before it ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from harness.store.connection import Connection
from harness.store.records import Execution
from harness.trial import Phase


@dataclass(frozen=True)
class Look:
    """An earlier execution that used some of the same confirmation trials.

    Attributes:
        study: and `profile`, under which it ran.
        at: when it began, in seconds since 1970.
        declaration: the study as it was declared then.
        trials: the confirmation trials that both have.
        arms: the arms of that execution that these were trials of.
        judged: whether it came to verdicts; one that was interrupted did not.
        profiles: the looks that each profile of the study declared then; empty if not known.
    """

    study: str
    profile: str
    at: float
    declaration: Mapping[str, Any]
    trials: Set[str]
    arms: Set[str]
    judged: bool = True
    profiles: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @classmethod
    def at_execution(cls, execution: Execution, trials: Set[str], arms: Set[str]) -> Look:
        """Return the look that an execution was at these trials and arms of it."""
        e = execution
        judged = e.status in ("finished", "failed", "stopped")
        profiles = e.context.get("profiles", {})
        return cls(e.study, e.profile, e.started, e.declaration, trials, arms, judged, profiles)


def seen_before(connection: Connection, execution: int) -> dict[int, tuple[set[str], set[str]]]:
    """Return the confirmation trials that earlier executions had too, and their arms, by execution.

    Only trials count whose record was there when the execution came to them.
    """
    rows = connection.execute(
        "SELECT past.execution, past.trial_id, past.arm FROM assignments now"
        " JOIN assignments past ON past.trial_id = now.trial_id AND past.phase = now.phase"
        " WHERE now.execution = ? AND now.phase = ? AND now.reused = 1 AND past.execution < ?",
        (execution, Phase.CONFIRMATION.value, execution),
    )
    seen: dict[int, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for past, trial_id, arm in rows:
        trials, arms = seen[past]
        trials.add(trial_id)
        arms.add(arm)
    return dict(seen)


def without_origin(connection: Connection, execution: int) -> int:
    """Count its confirmation trials that were there before, but that no execution trained.

    There are some where an execution was taken out of the database.
    """
    (count,) = connection.execute(
        "SELECT count(DISTINCT trial_id) FROM assignments WHERE execution = ? AND phase = ?"
        " AND reused = 1"
        " AND trial_id NOT IN (SELECT trial_id FROM assignments WHERE reused = 0)",
        (execution, Phase.CONFIRMATION.value),
    ).fetchone()
    return int(count)
