"""From records to verdicts and a report, training nothing."""

from __future__ import annotations

from pathlib import Path

from harness.evidence import Evidence, gather
from harness.judge import claim_declarations, judge
from harness.report import build_report
from harness.store import Execution, Store
from harness.trial import Verdict


def conclude(store: Store, execution: int, reports: Path) -> tuple[list[Verdict], Path]:
    """Judge the claims of an execution and write its report; training nothing."""
    found = next(item for item in store.executions() if item.id == execution)
    evidence = gather(store, found)
    verdicts = _judged(store, evidence)
    lost = store.lost_attempts(evidence.trials["trial_id"])
    return verdicts, build_report(evidence, verdicts, lost, reports / found.study)


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
