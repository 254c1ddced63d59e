"""What did not complete, and which attempts were lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.evidence import Evidence
from harness.report.blocks import Block, Cell, Table, Text
from harness.report.panels.base import Panel
from harness.trial import State

if TYPE_CHECKING:
    from harness.report.view import ProfileView

_NOTHING = Text("Nothing: every trial of this execution completed, and no attempt was lost.")


class Failures(Panel):
    """What did not complete, and which attempts were lost."""

    name = "failures"
    title = "What did not complete"
    order = 110

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        lost = report.result.lost
        made = report.part("the table of what did not complete", failures, report.evidence, lost)
        return (made,)


def failures(evidence: Evidence, lost: Sequence[tuple[str, int, str]]) -> Table | Text:
    """Return what did not complete, by arm, phase, state and reason, and lost attempts."""
    trials = evidence.trials
    ended = trials[trials["state"] != State.COMPLETE.value]
    rows = []
    for (arm, phase, state, reason), mine in ended.groupby(
        ["arm", "phase", "state", "reason"], sort=False
    ):
        seeds = ", ".join(str(seed) for seed in sorted(set(mine["seed"])))
        why = str(reason).strip().splitlines()[-1] if str(reason).strip() else "no reason recorded"
        if state == "missing":
            why = "it has no record: the run ended before it"
        rows.append(
            [Cell(str(arm)), Cell(str(phase)), Cell(str(state)), Cell(seeds, True), Cell(why)]
        )
    arms = dict(zip(trials["trial_id"], trials["arm"], strict=True))
    for trial_id, attempt, cause in lost:
        rows.append(
            [
                Cell(arms.get(trial_id, trial_id)),
                Cell(f"attempt {attempt}"),
                Cell("lost"),
                Cell(trial_id, True),
                Cell(cause),
            ]
        )
    if not rows:
        return _NOTHING
    return Table(
        "Trials that did not complete, and attempts that were lost",
        ["Arm", "Phase", "Outcome", "Seeds or trial", "Reason"],
        rows,
        name="failures",
    )
