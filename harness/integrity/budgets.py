"""What each arm's search really spent, in epochs."""

from __future__ import annotations

from harness.evidence import Evidence
from harness.trial import Phase


def searched_epochs(evidence: Evidence) -> dict[str, int]:
    """Return the epochs that the search of each arm trained, by arm, in planned order.

    Arms without a search are left out. A trial that several arms share counts for each of them.
    """
    trials = evidence.trials
    if evidence.plan.study.search is None or "epochs_spent" not in trials:
        return {}
    search = trials[trials["phase"] == Phase.SEARCH.value]
    spent = search.groupby("arm")["epochs_spent"].sum()
    return {
        arm.name: int(spent.get(arm.name, 0))
        for arm in evidence.plan.arms
        if evidence.plan.space(arm) is not None
    }
