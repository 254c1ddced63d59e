"""What was seen of an execution's trials of confirmation and timing before it ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from harness.store.connection import Connection
from harness.store.records import Execution
from harness.trial import EVIDENCE, Phase

_EVIDENCE = "(" + ", ".join(f"'{phase.value}'" for phase in EVIDENCE) + ")"


@dataclass(frozen=True)
class Look:
    """An earlier execution that used some of the same trials of confirmation and timing.

    Attributes:
        study: and `profile`, under which it ran.
        at: when it began, in seconds since 1970.
        declaration: the study as it was declared then.
        trials: the trials of confirmation and timing that both have.
        arms: the arms of that execution that these were trials of.
        judged: whether it came to verdicts, or showed provisional effects on a live page; one that
            was interrupted without did not.
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
        judged = e.status in ("finished", "failed", "stopped") or bool(e.context.get("live"))
        profiles = e.context.get("profiles", {})
        return cls(e.study, e.profile, e.started, e.declaration, trials, arms, judged, profiles)


def seen_before(connection: Connection, execution: int) -> dict[int, tuple[set[str], set[str]]]:
    """Return the trials that claims rest on and earlier executions had too, with their arms.

    By execution; they are those of confirmation and timing.

    Only trials count whose record was there when the execution came to them.
    """
    rows = connection.execute(
        "SELECT past.execution, past.trial_id, past.arm FROM assignments now"
        " JOIN assignments past ON past.trial_id = now.trial_id AND past.phase = now.phase"
        f" WHERE now.execution = ? AND now.phase IN {_EVIDENCE} AND now.reused = 1"
        " AND past.execution < ?",
        (execution, execution),
    )
    seen: dict[int, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for past, trial_id, arm in rows:
        trials, arms = seen[past]
        trials.add(trial_id)
        arms.add(arm)
    return dict(seen)


def without_origin(connection: Connection, execution: int) -> int:
    """Count its trials of confirmation and timing that were there before, trained by no execution.

    There are some where an execution was taken out of the database.
    """
    (count,) = connection.execute(
        "SELECT count(DISTINCT trial_id) FROM assignments WHERE execution = ?"
        f" AND phase IN {_EVIDENCE} AND reused = 1"
        " AND trial_id NOT IN (SELECT trial_id FROM assignments WHERE reused = 0)",
        (execution,),
    ).fetchone()
    return int(count)


def timed_otherwise(connection: Connection, execution: int) -> int:
    """Count earlier executions of its study and profile that have timing blocks of other trials.

    They timed other arms, in another way, with other code or on another machine.
    """
    (count,) = connection.execute(
        "SELECT count(DISTINCT past.execution) FROM assignments past"
        " JOIN executions e ON e.id = past.execution JOIN executions now ON now.id = ?"
        " JOIN records r ON r.trial_id = past.trial_id AND r.state = 'complete'"
        " WHERE e.study = now.study AND e.profile = now.profile AND e.id < now.id"
        " AND past.phase = ? AND past.trial_id NOT IN"
        " (SELECT trial_id FROM assignments WHERE execution = now.id)",
        (execution, Phase.TIMING.value),
    ).fetchone()
    return int(count)
