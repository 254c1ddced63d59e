"""From records to verdicts and a report, training nothing."""

from __future__ import annotations

from pathlib import Path

from harness.evidence import Evidence, gather
from harness.judge import claim_declarations, judge
from harness.report import ProfileResult, build_page
from harness.store import Execution, Store
from harness.trial import Verdict


def conclude(store: Store, study: str, reports: Path) -> tuple[dict[str, list[Verdict]], Path]:
    """Judge the newest execution of each profile of a study and write its report.

    Trains nothing.

    Returns:
        The verdicts by profile, and the folder of the report.
    """
    results = []
    for execution in store.latest_executions():
        if execution.study == study:
            evidence = gather(store, execution)
            lost = store.lost_attempts(evidence.trials["trial_id"])
            results.append(ProfileResult(evidence, _judged(store, evidence), lost))
    folder = build_page(results, reports / study)
    return {result.evidence.execution.profile: list(result.verdicts) for result in results}, folder


def verdicts_of(store: Store, execution: Execution) -> list[Verdict]:
    """Judge the claims of an execution, and note that they have met their evidence."""
    return _judged(store, gather(store, execution))


def _judged(store: Store, evidence: Evidence) -> list[Verdict]:
    study, profile = evidence.execution.study, evidence.execution.profile
    declarations = claim_declarations(evidence)
    changed = store.changed_claims(study, profile, declarations)
    verdicts = judge(evidence, sorted(changed))
    decided = {v.id: declarations[v.id] for v in verdicts if v.verdict != "incomplete"}
    store.mark_judged(study, profile, decided)
    return verdicts
